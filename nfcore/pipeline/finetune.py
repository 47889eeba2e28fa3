"""Fine-tune: the distilled student is trained on the photos themselves."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore.config.schema import FinetuneConfig
from nfcore.evaluation.metrics import psnr
from nfcore.interfaces import RaySource, Views
from nfcore.interfaces.reporting import Reporter
from nfcore.pipeline.evaluate import evaluate_student
from nfcore.runtime.devices import device_of
from nfcore.student.light_field import LightField
from nfcore.training.best_checkpoint import BestWeights
from nfcore.training.loop import train
from nfcore.views.training_views import TrainingViews

# Where a data set has no validation views, every so manieth training photo is held out to judge by.
_HOLD_OUT = 10


@dataclass(frozen=True)
class Verdict:
    """What fine-tuning came to, judged on held-out photos.

    Args:
        step: the step whose weights the student has now; 0 where fine-tuning made it no better.
        before: PSNR of the distilled student, dB.
        after: PSNR of the student as it is now, dB; never less than ``before``.

    """

    step: int
    before: float
    after: float

    @property
    def kept(self) -> bool:
        """Whether the student has fine-tuned weights."""
        return self.step > 0


def finetune(
    student: LightField,
    source: RaySource,
    config: FinetuneConfig,
    *,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Verdict:
    """Train ``student`` on the photos of ``source``, in place. R2L (Wang et al. 2022), section 3.3.

    A small student soon overfits the photos. So held-out photos are the judge, validation views or else some of
    the training views, never test views: it ends with the weights that came out best, of those before the first
    step and those at ``config.evaluations`` moments of the training.
    """
    reporter = reporter or Reporter()
    training, held_out = split_photos(source, device_of(student))

    def judge(judged: LightField) -> float:
        return evaluate_student(judged, held_out, metrics={"psnr": psnr}).mean["psnr"]

    best = BestWeights(judge, config.evaluations)
    train(student, training, config, seed, reporter, best=best)
    verdict = Verdict(best.step, best.scores[0], best.scores[best.step])
    kept = f"step {verdict.step} is kept" if verdict.kept else "the distilled student is kept"
    last = best.scores[max(best.scores)]
    reporter.note(
        f"finetune: {verdict.before:.2f} dB before, {verdict.after:.2f} dB at best, {last:.2f} dB at the end "
        f"on held-out photos: {kept}"
    )
    return verdict


def split_photos(source: RaySource, device: torch.device | str = "cpu") -> tuple[TrainingViews, Views]:
    """Return photos to train on, kept on ``device``, and photos to judge by; no photo is in both."""
    photos = source.views("train")
    chosen = None if len(source.views("val")) else (~_held_out(photos)).nonzero()[:, 0]
    training = TrainingViews.of_photos(photos, chosen)
    training.images = training.images.to(device)
    return training, held_out_photos(source)


def held_out_photos(source: RaySource) -> Views:
    """Return photos to judge by: validation views or else some of the training views, never test views.

    No weights of a student are trained on them.
    """
    judges = source.views("val")
    if len(judges):
        return judges
    photos = source.views("train")
    return photos.chosen(_held_out(photos).nonzero()[:, 0].tolist())


def _held_out(photos: Views) -> Tensor:
    """Return which of the training photos are held out where there are no validation views, (n,) bool."""
    return torch.arange(len(photos)) % _HOLD_OUT == 0
