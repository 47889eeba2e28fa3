"""Fine-tune: train the distilled student on the photos."""

from __future__ import annotations

from dataclasses import dataclass, field

from nfcore.config.schema import FinetuneConfig
from nfcore.errors import UserError
from nfcore.evaluation.metrics import psnr
from nfcore.interfaces import Loss, RaySource, Teacher
from nfcore.interfaces.boundaries import check_source
from nfcore.interfaces.loss import USES_GEOMETRY
from nfcore.interfaces.reporting import Reporter
from nfcore.pipeline.evaluate import evaluate
from nfcore.pipeline.history import History, HistoryReporter
from nfcore.pipeline.losses import build_loss
from nfcore.plugin.identity import named
from nfcore.runtime.devices import device_of
from nfcore.student.light_field import LightField
from nfcore.training.best_checkpoint import BestCheckpoint
from nfcore.training.loop import train
from nfcore.views.photo_split import split_photos


@dataclass(frozen=True)
class FinetuneResult:
    """The weights that fine-tuning kept, by their PSNR on the validation images.

    Args:
        step: the step whose weights the student has now; 0 if fine-tuning did not improve it.
        before: PSNR of the distilled student, dB.
        after: PSNR of the student now, dB; never less than ``before``.
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
    teacher: Teacher | None = None,
    loss: Loss | None = None,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> FinetuneResult:
    """Train ``student`` on the photos of ``source``, in place. R2L (Wang et al. 2022), section 3.3.

    A small student soon overfits the photos. So it keeps the weights with the best score on the validation
    images, among those before the first step and at ``config.evaluations`` evenly spaced steps.

    Args:
        student: the distilled student; changed in place.
        source: the scene.
        config: how it is trained.
        teacher: the student's. If exposures differ, photos are brought to the one that it shows; None leaves them.
        loss: what is minimised; by default the installed one that ``config.loss`` names.
        seed: seed of all random numbers.
        reporter: receives the progress.

    Raises:
        UserError: the loss needs the teacher's opacity and depth.
        NfcoreError: the loss diverges.

    """
    check_source(source)
    loss = loss or build_loss(config)
    if loss.uses_geometry:
        raise UserError(f"finetune.loss: {named(loss)} {USES_GEOMETRY}")
    recorder = HistoryReporter(reporter)
    training, validation = split_photos(source, device_of(student), teacher)

    def score(candidate: LightField) -> float:
        return evaluate(candidate, validation, metrics={"psnr": psnr}).mean["psnr"]

    best = BestCheckpoint(score, config.evaluations)
    train(student, training, loss, config, seed, recorder, best=best)
    result = FinetuneResult(best.step, best.scores[0], best.scores[best.step], recorder.history)
    kept = f"step {result.step} is kept" if result.kept else "the distilled student is kept"
    last = best.scores[max(best.scores)]
    recorder.note(
        f"finetune: {result.before:.2f} dB before, {result.after:.2f} dB at best, {last:.2f} dB at the end "
        f"on validation images: {kept}"
    )
    return result
