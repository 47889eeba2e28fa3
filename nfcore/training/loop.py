"""The optimisation loop that distillation and fine-tuning share."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import NoReturn

import torch
from torch import Tensor
from torch.nn import functional as F

from nfcore.config.schema import TrainingConfig
from nfcore.interfaces import Loss
from nfcore.interfaces.boundaries import ContractError, calling, check_loss, is_image
from nfcore.interfaces.budget import Budget
from nfcore.interfaces.reporting import Reporter
from nfcore.io.tensors import State, seeded
from nfcore.plugin.identity import named
from nfcore.runtime import distributed
from nfcore.runtime.devices import device_of
from nfcore.runtime.threads import single_thread
from nfcore.student.complexity import macs
from nfcore.student.light_field import LightField
from nfcore.student.part_checks import checked_parts, first_fault, has_diverged
from nfcore.training.batch_norm import batch_norms, enough_views
from nfcore.training.best_checkpoint import BestCheckpoint
from nfcore.training.divergence import DivergedError, DivergenceDetector
from nfcore.training.optimizers import StudentOptimizer
from nfcore.training.precision import autocast, network_dtype
from nfcore.training.schedules import rate_share
from nfcore.views.crops import Batch, CropRule, CropSampler, PhotoMixing
from nfcore.views.training_views import TrainingViews

_REPORT_EVERY = 10  # steps
# With more multiply-accumulates in the forward pass of a batch, a step takes seconds on a CPU: a second thread
# then gains more than it costs, and every step is worth reporting.
_LARGE_STEP = 4e9


def train(
    student: LightField,
    views: TrainingViews,
    loss: Loss,
    config: TrainingConfig,
    seed: int,
    reporter: Reporter,
    photos: PhotoMixing | None = None,
    best: BestCheckpoint | None = None,
) -> None:
    """Train ``student`` on ``views``, in place, on the student's device; it ends in eval mode.

    ``loss`` is minimised. Towards the end, crops of ``photos``, if any, replace some of the crops of ``views``.

    On CPU the result depends on the arguments alone, also if training was interrupted and resumed from
    ``reporter.restore()``, unless ``config.seconds`` is set. With ``best``, the student is scored at intervals and
    the result is the best weights.

    Where ``torchrun`` started several processes, all draw the same batches, each takes its share of every one, and
    the gradients are averaged: the loss is that of one process, up to rounding and to the jitter of encodings.

    Raises:
        DivergedError: the loss is not finite, or the student has collapsed; the last checkpoint is kept.
        UserError: an option that this machine or its torch does not support, or a batch that does not divide.

    """
    config = _for_batch_norm(student, views, config, reporter)
    device = device_of(student)
    small = device.type == "cpu" and _macs_per_step(student, views, config) < _LARGE_STEP
    report_every = 1 if device.type == "cpu" and not small else _REPORT_EVERY
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), single_thread() if small else nullcontext():
        torch.manual_seed(seed)  # for jitter inside encodings, which draw from the default generator
        _Training(student, views, loss, config, config.budget(seed), report_every, reporter, photos, best).run()
    student.eval()


def _for_batch_norm(
    student: LightField, views: TrainingViews, config: TrainingConfig, reporter: Reporter
) -> TrainingConfig:
    """Return ``config`` with batches that batch norm can use, and report where they had to change."""
    if not batch_norms(student):
        return config
    rays = (views.cameras.height // student.scale, views.cameras.width // student.scale)
    adjusted = enough_views(config, rays, distributed.count())
    if adjusted is not config:
        reporter.note(
            f"batch norm needs {adjusted.batch} views a step, not {config.batch}: "
            f"a step takes {adjusted.batch} crops of {adjusted.crop}x{adjusted.crop} rays"
        )
    return adjusted


def _macs_per_step(student: LightField, views: TrainingViews, config: TrainingConfig) -> float:
    height, width = views.cameras.height, views.cameras.width
    side = (config.crop or max(height, width)) * student.scale
    return macs(student) * config.batch / distributed.count() * min(1.0, side / height) * min(1.0, side / width)


class _Training:
    """The state that changes from step to step, which checkpoints save and restore."""

    def __init__(
        self,
        student: LightField,
        views: TrainingViews,
        loss: Loss,
        config: TrainingConfig,
        budget: Budget,
        report_every: int,
        reporter: Reporter,
        photos: PhotoMixing | None,
        best: BestCheckpoint | None,
    ) -> None:
        self.student = student.train()
        for network in (student.backbone, student.upsampler):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.forward = distributed.averaging(student)
        self.device = device_of(student)
        self.dtype = network_dtype(config.precision, self.device)
        self.processes = distributed.count()
        self.share = distributed.share(config.batch)
        self.loss_of = loss.to(self.device)
        self.views = views
        self.config = config
        self.budget = budget
        self.report_every = report_every
        self.reporter = reporter
        self.best = best
        self.generator = seeded(budget.seed)
        rule = CropRule(config.batch, config.crop, student.scale, config.shift, config.hard)
        self.crops = CropSampler(views, rule, self.generator, photos)
        scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.optimizer = StudentOptimizer(student, config, scaler)
        self.parts_checked = False
        self.step = 0
        self.clock = budget.clock()
        self.loss = torch.zeros(())
        self.divergence = DivergenceDetector()
        state = reporter.restore()
        if state is not None:
            self._restore(state)

    def run(self) -> None:
        self.reporter.start(self.budget.steps)
        while (progress := self._progress()) < 1:
            self.views.prepare(self.step)
            self._score_if_due(progress)
            self._step(progress)
            self.reporter.checkpoint(self.step, self._state)
        self._score_if_due(1.0)
        if self.best is not None:
            self.best.load_into(self.student)

    def _progress(self) -> float:
        """Return how much of the budget is used: by the first process's clock, where there are several."""
        progress = self.clock.progress(self.step)
        return progress if self.budget.seconds is None else distributed.agreed(progress)

    def _score_if_due(self, progress: float) -> None:
        """Score the weights before this step where that is due; once, also after a restart."""
        if self.best is not None and self.best.due(progress) and self.step not in self.best.scores:
            self.best.score(self.student, self.step, progress)

    def _step(self, progress: float) -> None:
        share = rate_share(self.config, progress, 1 / self.budget.steps)
        batch: Batch = self.crops.draw(progress)
        if self.processes > 1:
            batch = batch[self.share]
            # Jitter differs between the shares, and depends on the step alone, so that training can resume.
            torch.manual_seed(hash((self.budget.seed, self.step, distributed.rank())) & 0xFFFFFFFF)
        batch = batch.to(self.device)
        # The output of each part is checked in the first step; later only that the loss is finite and, at each
        # report, that the images are valid: an error is then traced to the part that caused it.
        checks = nullcontext() if self.parts_checked else checked_parts(self.student.parts)
        try:
            with checks, autocast(self.dtype, self.device):
                images = self.forward(batch.cameras)
        except ContractError as fault:
            self._fail("image", fault)
        self.parts_checked = True
        images = images.float()
        batch = batch.filled(images)
        loss = self._loss(images, batch)
        if self.device.type == "cpu" and self.processes == 1 and not bool(loss.isfinite()):
            self._fail("loss", first_fault(self.student, self.student.parts, batch.cameras))
        self.optimizer.step(loss, share)
        self.step += 1
        self.loss = loss.detach()
        if self.crops.uses_errors:
            self.crops.update_errors(
                distributed.gathered((images.detach() - batch.images).square().mean((1, 2, 3)))
            )
        if self.step % self.report_every == 0 or self.step == self.budget.steps:
            self.loss, squared_error = distributed.mean(
                torch.stack([self.loss, F.mse_loss(images.detach(), batch.images)])
            )
            if not is_image(images):
                self._fail("image", first_fault(self.student, self.student.parts, batch.cameras))
            self._report(squared_error, share * self.config.learning_rate)

    def _fail(self, what: str, fault: ContractError | None) -> NoReturn:
        """Raise the error of the part that caused it, or report that the training has diverged."""
        if fault is not None and not has_diverged(self.student.parts, fault):
            raise fault
        where = "" if fault is None else f", first in what {named(fault.component)} returns"
        raise DivergedError(f"the {what} is not finite at step {self.step}{where}")

    def _loss(self, images: Tensor, batch: Batch) -> Tensor:
        geometry = (batch.opacity, batch.depth) if self.loss_of.uses_geometry else ()
        with calling(self.loss_of, "forward"):
            loss: Tensor = self.loss_of(images, batch.images, *geometry)
        check_loss(self.loss_of, loss)
        return loss

    def _report(self, squared_error: Tensor, rate: float) -> None:
        loss = self._finite_loss()
        error = self.divergence.update(float(squared_error), self.step)
        self.reporter.step(self.step, psnr=-10 * math.log10(max(error, 1e-10)), loss=loss, lr=rate)
        if self.reporter.image_due():
            self.reporter.image("student", self._preview())

    def _finite_loss(self) -> float:
        loss = float(self.loss)
        if not math.isfinite(loss):
            raise DivergedError(f"the loss is {loss} at step {self.step}")
        return loss

    def _preview(self) -> Tensor:
        """Return one view as the student renders it now, next to its target."""
        image = self.student.render(self.views.cameras[0])[0].permute(1, 2, 0)
        return torch.cat([image, self.views.images[0].float().cpu() / 255], dim=1)

    def _state(self) -> State:
        self._finite_loss()  # a checkpoint with NaN would be useless
        if not all(bool(p.isfinite().all()) for p in self.student.parameters()):
            raise DivergedError(f"the weights are not finite at step {self.step}")
        return {
            "step": self.step,
            "spent": self.clock.spent,
            "watch": self.divergence.state(),
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state(),
            "best": self.best.state() if self.best else None,
            "crops": self.crops.state(),
            "generator": self.generator.get_state(),
            "default_generator": torch.get_rng_state(),
        }

    def _restore(self, state: State) -> None:
        self.step = state["step"]
        self.clock = self.budget.clock(state["spent"])
        self.divergence.restore(state["watch"])
        self.student.load_state_dict(state["student"])
        self.optimizer.restore(state["optimizer"])
        if self.best is not None:
            self.best.restore(state["best"])
        self.crops.restore(state["crops"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["default_generator"])
