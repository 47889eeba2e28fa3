"""Fine-tune: the distilled student is trained on the photos themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from nfcore.config.schema import FinetuneConfig
from nfcore.errors import UserError
from nfcore.evaluation.metrics import psnr
from nfcore.interfaces import Loss, RaySource
from nfcore.interfaces.boundaries import check_source
from nfcore.interfaces.loss import USES_GEOMETRY
from nfcore.interfaces.reporting import Reporter
from nfcore.pipeline.evaluate import evaluate_student
from nfcore.pipeline.history import History, HistoryReporter
from nfcore.pipeline.losses import build_loss
from nfcore.plugin.identity import named
from nfcore.runtime.devices import device_of
from nfcore.student.light_field import LightField
from nfcore.training.best_checkpoint import BestCheckpoint
from nfcore.training.loop import train
from nfcore.views.photo_split import split_photos


@dataclass(frozen=True)
class Verdict:
    """The result of fine-tuning on the validation images.

    Args:
        step: the step whose weights the student has now; 0 where fine-tuning made it no better.
        before: PSNR of the distilled student, dB.
        after: PSNR of the student as it is now, dB; never less than ``before``.
        history: PSNR against the training photos (dB), loss and learning rate every few steps.

    """

    step: int
    before: float
    after: float
    history: History = field(compare=False, repr=False)

    @property
    def kept(self) -> bool:
        """Whether the student has fine-tuned weights."""
        return self.step > 0


def finetune(
    student: LightField,
    source: RaySource,
    config: FinetuneConfig,
    *,
    loss: Loss | None = None,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Verdict:
    """Train ``student`` on the photos of ``source``, in place. R2L (Wang et al. 2022), section 3.3.

    A small student soon overfits the photos. So it ends with the weights that scored best on the validation
    images, of those before the first step and those at ``config.evaluations`` evenly spaced steps.

    Args:
        student: distilled; changed in place.
        source: the scene.
        config: how it is trained.
        loss: what is minimised; by default the installed one that ``config.loss`` names.
        seed: of all that is drawn.
        reporter: is told.

    Raises:
        UserError: a loss that needs the teacher's opacity and depth.
        NfcoreError: the training diverges.

    """
    check_source(source)
    loss = loss or build_loss(config)
    if loss.uses_geometry:
        raise UserError(f"finetune.loss: {named(loss)} {USES_GEOMETRY}")
    recorder = HistoryReporter(reporter)
    training, validation = split_photos(source, device_of(student))

    def score(candidate: LightField) -> float:
        return evaluate_student(candidate, validation, metrics={"psnr": psnr}).mean["psnr"]

    best = BestCheckpoint(score, config.evaluations)
    train(student, training, loss, config, seed, recorder, best=best)
    verdict = Verdict(best.step, best.scores[0], best.scores[best.step], recorder.history)
    kept = f"step {verdict.step} is kept" if verdict.kept else "the distilled student is kept"
    last = best.scores[max(best.scores)]
    recorder.note(
        f"finetune: {verdict.before:.2f} dB before, {verdict.after:.2f} dB at best, {last:.2f} dB at the end "
        f"on validation images: {kept}"
    )
    return verdict
