"""The optimisation loop that distilling and fine-tuning share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nfcore.budget import Budget
from nfcore.complexity import macs
from nfcore.errors import NfcoreError
from nfcore.light_field import LightField
from nfcore.pipeline.config import TrainingConfig
from nfcore.pipeline.crops import CropRule, CropSampler, LatePhotos
from nfcore.pipeline.views import TrainingViews
from nfcore.reporting import Reporter
from nfcore.states import State, seeded
from nfcore.threads import single_thread

_REPORT_EVERY = 10  # steps
# Multiply-accumulates of a forward pass over the batch from which a step takes seconds on a CPU: a second thread
# then gains more than it costs, and every step is worth reporting.
_LARGE_STEP = 4e9


def train(
    student: LightField,
    views: TrainingViews,
    config: TrainingConfig,
    seed: int,
    reporter: Reporter,
    photos: LatePhotos | None = None,
) -> None:
    """Train ``student`` on ``views``, with ``photos`` mixed in towards the end, in place; it ends in eval mode.

    Minimises the mean squared error with AdamW. On CPU the result depends on the arguments alone, also when the
    training was interrupted and went on from ``reporter.restore()``, unless ``config.seconds`` is set.

    Raises:
        NfcoreError: the loss is no longer finite; the last checkpoint stays.

    """
    small = _macs_per_step(student, views, config) < _LARGE_STEP
    report_every = _REPORT_EVERY if small else 1
    with torch.random.fork_rng(devices=[]), single_thread() if small else nullcontext():
        torch.manual_seed(seed)  # for jitter inside encodings, which draw from the default generator
        _Training(student, views, config, config.budget(seed), report_every, reporter, photos).run()
    student.eval()


def _macs_per_step(student: LightField, views: TrainingViews, config: TrainingConfig) -> float:
    height, width = views.cameras.height, views.cameras.width
    side = (config.crop or max(height, width)) * student.scale
    return macs(student) * config.batch * min(1.0, side / height) * min(1.0, side / width)


class _Training:
    """What changes from step to step, so that a checkpoint can hold it and a restart go on from it."""

    def __init__(
        self,
        student: LightField,
        views: TrainingViews,
        config: TrainingConfig,
        budget: Budget,
        report_every: int,
        reporter: Reporter,
        photos: LatePhotos | None,
    ) -> None:
        self.student = student.train()
        for network in (student.backbone, student.upsampler):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.views = views
        self.config = config
        self.budget = budget
        self.report_every = report_every
        self.reporter = reporter
        self.generator = seeded(budget.seed)
        rule = CropRule(
            config.batch, config.crop, student.scale, config.shift, anywhere=config.anywhere, hard=config.hard
        )
        self.crops = CropSampler(views, rule, self.generator, photos)
        self.optimizer = _optimizer(student, config)
        self.step = 0
        self.clock = budget.clock()
        self.loss = torch.zeros(())
        self.error = 0.0  # running mean of the squared error, for the reported PSNR
        state = reporter.restore()
        if state is not None:
            self._restore(state)

    def run(self) -> None:
        self.reporter.start(self.budget.steps)
        while (progress := self.clock.progress(self.step)) < 1:
            self.views.prepare(self.step)
            self.loss = self._step(progress)
            self.step += 1
            if self.step % self.report_every == 0 or self.step == self.budget.steps:
                self._report()
            self.reporter.checkpoint(self.step, self._state)

    def _step(self, progress: float) -> Tensor:
        cameras, truth = self.crops.draw(progress)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, progress, 1 / self.budget.steps)
        with autocast(self.config.precision):
            images = self.student(cameras)
        loss = F.mse_loss(images.float(), truth)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if self.crops.learns:
            self.crops.learn((images.detach().float() - truth).square().mean((1, 2, 3)))
        return loss.detach()

    def _finite_loss(self) -> float:
        loss = float(self.loss)
        if not math.isfinite(loss):
            raise NfcoreError(
                f"the loss is {loss} at step {self.step}; the last checkpoint is kept: "
                "lower learning_rate or set precision to fp32"
            )
        return loss

    def _report(self) -> None:
        loss = self._finite_loss()
        memory = 0.9 if self.error else 0.0
        self.error = memory * self.error + (1 - memory) * loss
        self.reporter.step(self.step, psnr=-10 * math.log10(max(self.error, 1e-10)))
        if self.reporter.image_due():
            self.reporter.image("student", self._preview())

    def _preview(self) -> Tensor:
        """Return one view as the student sees it now, beside what it should be."""
        image = self.student.render(self.views.cameras[0])[0].permute(1, 2, 0)
        return torch.cat([image, self.views.images[0].float() / 255], dim=1)

    def _state(self) -> State:
        self._finite_loss()  # a checkpoint that goes on from NaN would be worth nothing
        return {
            "step": self.step,
            "spent": self.clock.spent,
            "error": self.error,
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "crops": self.crops.state(),
            "generator": self.generator.get_state(),
            "default_generator": torch.get_rng_state(),
        }

    def _restore(self, state: State) -> None:
        self.step = state["step"]
        self.clock = self.budget.clock(state["spent"])
        self.error = state["error"]
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        # Fused AdamW walks through memory: its moments must be laid out as the weights are, channels last.
        for parameter, moments in self.optimizer.state.items():
            for name, value in moments.items():
                if value.shape == parameter.shape:
                    moments[name] = torch.empty_like(parameter).copy_(value)
        self.crops.restore(state["crops"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["default_generator"])


def _optimizer(student: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return AdamW; one-dimensional parameters (biases, norms) have no weight decay."""
    parameters = [p for p in student.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=True)


def learning_rate(config: TrainingConfig, progress: float, one_step: float) -> float:
    """Return the learning rate when ``progress`` of the training, in [0, 1), is done."""
    if progress < config.warmup:
        return config.learning_rate * (progress + one_step) / (config.warmup + one_step)
    after = (progress - config.warmup) / (1 - config.warmup)
    if config.schedule == "cosine":
        share = (1 + math.cos(math.pi * after)) / 2
        return config.learning_rate * (config.final_learning_rate + (1 - config.final_learning_rate) * share)
    return config.learning_rate * math.pow(config.final_learning_rate, after)


def gains_from_bf16() -> bool:
    """Whether this machine multiplies bfloat16 matrices faster than float32 ones (AMX)."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


@contextmanager
def autocast(precision: str) -> Iterator[None]:
    """Run the network in the given precision: ``fp32``, ``bf16``, or ``auto`` (bf16 where that is faster)."""
    enabled = precision == "bf16" or (precision == "auto" and gains_from_bf16())
    with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        yield
