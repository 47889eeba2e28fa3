"""Calibration: a run's stages are timed for some seconds each, to estimate a run or to turn minutes into steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import torch

from nfcore import pipeline
from nfcore.config.schema import PipelineConfig, StageConfig
from nfcore.config.stages import TRAINING, Stage, stages_of
from nfcore.errors import NfcoreError, TrialOver, UserError
from nfcore.interfaces import RaySource, Teacher
from nfcore.interfaces.reporting import Reporter
from nfcore.pipeline.losses import build_loss
from nfcore.plugin.manager import PluginManager
from nfcore.runs.trial import FewPhotos, Moment, Stopwatch
from nfcore.runs.untrained import new_student
from nfcore.runtime import distributed
from nfcore.runtime.devices import choose_device

#: Runs of fewer steps are not estimated: that would take about as long as they do.
FEW_STEPS = 500
# Seconds of a stage's trial where the steps follow from minutes, and where only the time is estimated; a stage
# that does not follow its clock is stopped after four times that.
_SECONDS, _SECONDS_TO_ESTIMATE, _MOST_SECONDS = 3.0, 1.0, 4.0
# Seconds that the teacher may take, with its preparation, for the student to be tried as well.
_PATIENCE = 5.0
# Pseudo views that are rendered before the student's first step of a trial.
_FIRST_VIEWS = 1
# Trials for twice as long each, where the steps follow from minutes and a stage could not be tried.
_MORE_TRIALS = 3

#: Steps per second by stage; a stage that could not be tried is absent.
Speeds = Mapping[Stage, float]


def planned(
    config: PipelineConfig, source: RaySource, components: PluginManager, note: Callable[[str], None] | None
) -> PipelineConfig:
    """Return ``config`` with the steps that its minutes are worth here, and note how long training will take.

    Args:
        config: the pipeline; without minutes it is returned as it is.
        source: the scene.
        components: where components are found.
        note: called with one line; None shows nothing.

    Raises:
        UserError: minutes that can't be divided among the stages; see ``check_minutes``.

    """
    check_minutes(config)
    steps = sum(_settings(config, stage).steps for stage in _training(config))
    if config.minutes is None and (note is None or steps < FEW_STEPS or distributed.count() > 1):
        return config
    try:
        speeds = calibrate(config, source, components)
    except NfcoreError:  # the run itself will raise it
        if config.minutes is None:
            return config
        raise
    if config.minutes is not None:
        config = with_minutes(config, speeds)
    if note is not None:
        note(estimate(config, speeds))
    return config


def calibrate(config: PipelineConfig, source: RaySource, components: PluginManager) -> Speeds:
    """Return the steps per second of teacher and student, trained for a moment and discarded.

    No random number of the run changes. The student is tried on views of the teacher of that moment.

    Raises:
        NfcoreError: the teacher can't be fitted.

    """
    seconds = _SECONDS_TO_ESTIMATE if config.minutes is None else _SECONDS
    source = source if config.minutes is not None else FewPhotos(source)
    device = choose_device(config.device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        speeds = _tried(config, source, components, seconds)
        for _ in range(_MORE_TRIALS if config.minutes is not None else 0):
            if set(_training(config)) <= set(speeds):
                break
            seconds *= 2  # the teacher shows nothing yet: this machine is slow, or had kernels to compile
            speeds = _tried(config, source, components, seconds)
    return speeds


def _tried(
    config: PipelineConfig, source: RaySource, components: PluginManager, seconds: float
) -> dict[Stage, float]:
    """Return the speeds of the stages that could be tried for so many ``seconds`` each."""
    device, began = choose_device(config.device), time.monotonic()
    speeds: dict[Stage, float] = {}
    teacher: Teacher = components.build("teacher", config.teacher.name, config.teacher.options, source.scene)
    teacher.to(device)
    budget = Moment(config.teach.steps, None, config.seed, moment=seconds)
    _try("teach", lambda reporter: pipeline.teach(teacher, source, budget, reporter), speeds, seconds)
    # Without minutes it is only to know: where even the teacher took long, the student stays unknown.
    patient = config.minutes is not None or time.monotonic() - began < _PATIENCE
    if config.student is not None and "teach" in speeds and patient:
        distill, student = config.student_training().distill, new_student(config, source, components)
        brief = distill.model_copy(update={"seconds": seconds, "first_views": _FIRST_VIEWS})
        loss = build_loss(distill, components)
        with suppress(NfcoreError):  # such as a teacher that shows nothing yet
            _try(
                "distill",
                lambda reporter: pipeline.distill(
                    student.to(device), teacher.eval(), source, brief, loss=loss, reporter=reporter
                ),
                speeds,
                seconds,
            )
    if "distill" in speeds:  # the same network on the same crops
        speeds["finetune"] = speeds["distill"]
    return speeds


def estimate(config: PipelineConfig, speeds: Speeds) -> str:
    """Return how long the training stages will take, in one line."""
    parts = []
    for stage in _training(config):
        steps = _settings(config, stage).steps
        parts.append(f"{stage} {_about(steps / speeds[stage])}" if stage in speeds else f"{stage} unknown")
    return f"estimate from a moment of training here: {', '.join(parts)}"


def with_minutes(config: PipelineConfig, speeds: Speeds) -> PipelineConfig:
    """Return ``config`` with the steps that its ``minutes`` are worth here; see ``check_minutes``.

    Raises:
        UserError: a stage could not be tried.

    """
    minutes = config.minutes
    assert minutes is not None
    steps: dict[Stage, int] = {}
    for stage in _training(config):
        if stage not in speeds:
            raise UserError(f"minutes: {stage} could not be timed here: set {stage}.steps in place of minutes")
        steps[stage] = max(1, round(60 * minutes * (_settings(config, stage).share or 0) * speeds[stage]))
    return _with_steps(config, steps)


def check_minutes(config: PipelineConfig) -> None:
    """Check that ``minutes`` can be divided among the stages.

    Raises:
        UserError: a stage has no share, or several processes train together.

    """
    if config.minutes is None:
        return
    if distributed.count() > 1:
        raise UserError("minutes: can't be calibrated where several processes train: set the stages' steps")
    for stage in _training(config):
        if _settings(config, stage).share is None:
            raise UserError(f"minutes: the recipe gives {stage} no share of them: set {stage}.share, such as 0.4")


def as_calibrated(config: PipelineConfig, before: PipelineConfig) -> PipelineConfig:
    """Return ``config`` with the steps that ``before`` was given for the same minutes and shares, if it was."""
    if config.minutes is None or config.minutes != before.calibrated_minutes:
        return config
    shares, known = (
        {stage: _settings(each, stage).share for stage in _training(each)} for each in (config, before)
    )
    if shares != known:
        return config
    return _with_steps(config, {stage: _settings(before, stage).steps for stage in _training(before)})


def _training(config: PipelineConfig) -> list[Stage]:
    return [stage for stage in stages_of(config) if stage in TRAINING]


def _settings(config: PipelineConfig, stage: Stage) -> StageConfig:
    settings: StageConfig = getattr(config, stage)
    return settings


def _with_steps(config: PipelineConfig, steps: Mapping[Stage, int]) -> PipelineConfig:
    """Return ``config`` with the steps that its minutes are worth in their place."""
    update: dict[str, object] = {"minutes": None, "calibrated_minutes": config.minutes}
    for stage, count in steps.items():
        update[stage] = _settings(config, stage).model_copy(update={"steps": count})
    return config.model_copy(update=update)


def _try(stage: Stage, work: Callable[[Reporter], object], speeds: dict[Stage, float], seconds: float) -> None:
    stopwatch = Stopwatch(_MOST_SECONDS * seconds)
    with suppress(TrialOver):
        work(stopwatch)
    speed = stopwatch.speed()
    if speed is not None:
        speeds[stage] = speed


def _about(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
