"""Fine-tune: the distilled student is trained on the photos themselves."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from nfcore.interfaces import RaySource, Views
from nfcore.light_field import LightField
from nfcore.pipeline.config import TrainingConfig
from nfcore.pipeline.evaluate import evaluate_student
from nfcore.pipeline.training import train
from nfcore.pipeline.views import TrainingViews
from nfcore.reporting import Reporter

# Where a data set has no validation views, every so manieth training photo is held out to judge by.
_HOLD_OUT = 10


def finetune(
    student: LightField,
    source: RaySource,
    config: TrainingConfig,
    *,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> bool:
    """Train ``student`` on the photos of ``source``, in place. R2L (Wang et al. 2022), section 3.3.

    A small student can get worse by it. So held-out photos are the judge, validation views or else some of the
    training views, never test views: where they come out worse than before, the student stays as it was.

    Returns:
        Whether the fine-tuned weights were kept.

    """
    reporter = reporter or Reporter()
    training, held_out = split_photos(source)
    distilled = copy.deepcopy(student.state_dict())
    before = evaluate_student(student, held_out).mean["psnr"]
    train(student, training, config, seed, reporter)
    after = evaluate_student(student, held_out).mean["psnr"]
    kept = after >= before
    if not kept:
        student.load_state_dict(distilled)
    verdict = "kept" if kept else "the distilled student is kept"
    reporter.note(f"finetune: {before:.2f} dB before, {after:.2f} dB after on held-out photos: {verdict}")
    return kept


def split_photos(source: RaySource) -> tuple[TrainingViews, Views]:
    """Return photos to train on and photos to judge by; no photo is in both."""
    photos, validation = source.views("train"), source.views("val")
    if len(validation):
        return TrainingViews.of_photos(photos), validation
    held_out = torch.arange(len(photos)) % _HOLD_OUT == 0
    training = TrainingViews.of_photos(photos, (~held_out).nonzero()[:, 0])
    return training, _chosen(photos, held_out.nonzero()[:, 0])


def _chosen(views: Views, index: torch.Tensor) -> Views:
    return replace(
        views,
        cameras=views.cameras[index],
        images=views.images[index],
        alpha=None if views.alpha is None else views.alpha[index],
        names=tuple(views.names[i] for i in index.tolist()),
    )
