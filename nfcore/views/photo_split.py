"""Splits a scene's photos into those that a student is trained on and the validation images."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.interfaces import RaySource, Views
from nfcore.views.training_views import TrainingViews

# Where a data set has no validation split, one training photo in this many becomes a validation image.
_VALIDATION_EVERY = 10


def split_photos(source: RaySource, device: torch.device | str = "cpu") -> tuple[TrainingViews, Views]:
    """Return the photos to train on, stored on ``device``, and the validation images; no photo is in both.

    >>> training, validation = split_photos(source)  # doctest: +SKIP
    """
    photos = source.views("train")
    chosen = None if len(source.views("val")) else (~_for_validation(photos)).nonzero()[:, 0]
    return TrainingViews.of_photos(photos, chosen, device), validation_images(source)


def validation_images(source: RaySource) -> Views:
    """Return the validation split, or every tenth training photo where it is empty; never test views.

    They choose the best weights of a student; none are trained on them.
    """
    validation = source.views("val")
    if len(validation):
        return validation
    photos = source.views("train")
    return photos.chosen(_for_validation(photos).nonzero()[:, 0].tolist())


def _for_validation(photos: Views) -> Tensor:
    """Return which training photos are validation images if the data set has no such split, (n,) bool."""
    return torch.arange(len(photos)) % _VALIDATION_EVERY == 0
