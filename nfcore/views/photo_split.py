"""Splits a scene's photos into those that a student is trained on and the validation images."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.interfaces import RaySource, Split, Teacher, Views
from nfcore.views.exposure import without_exposure
from nfcore.views.training_views import TrainingViews

# Where a data set has no validation split, one training photo in this many becomes a validation image.
_VALIDATION_EVERY = 10


def split_photos(
    source: RaySource, device: torch.device | str = "cpu", teacher: Teacher | None = None
) -> tuple[TrainingViews, Views]:
    """Return the photos to train on, stored on ``device``, and the validation images; no photo is in both.

    If exposures differ, all have that of ``teacher``; without one they are as they are.

    >>> training, validation = split_photos(source)  # doctest: +SKIP
    """
    photos = _photos(source, "train", teacher)
    chosen = None if len(source.views("val")) else (~_for_validation(photos)).nonzero()[:, 0]
    return TrainingViews.of_photos(photos, chosen, device), validation_images(source, teacher)


def validation_images(source: RaySource, teacher: Teacher | None = None) -> Views:
    """Return the validation split, or every tenth training photo where it is empty; never test views.

    They choose the best weights of a student; none are trained on them. ``teacher`` as in ``split_photos``.
    """
    if len(source.views("val")):
        return _photos(source, "val", teacher)
    photos = _photos(source, "train", teacher)
    return photos.chosen(_for_validation(photos).nonzero()[:, 0].tolist())


def _photos(source: RaySource, split: Split, teacher: Teacher | None) -> Views:
    photos = source.views(split)
    return photos if teacher is None else without_exposure(photos, teacher)


def _for_validation(photos: Views) -> Tensor:
    """Return which training photos are validation images if the data set has no such split, (n,) bool."""
    return torch.arange(len(photos)) % _VALIDATION_EVERY == 0
