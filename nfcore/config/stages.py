"""The stages of a pipeline in order: which it has, and the first one that a setting affects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from nfcore.config.layers import same_component
from nfcore.config.schema import PipelineConfig
from nfcore.config.setting_sources import flat

#: The name of a stage.
Stage = Literal["teach", "distill", "finetune", "evaluate", "render", "export"]
#: All stages, in order.
STAGES: tuple[Stage, ...] = get_args(Stage)

#: Stages that train.
TRAINING: tuple[Stage, ...] = ("teach", "distill", "finetune")

# Stages that train a student.
_OF_A_STUDENT: tuple[Stage, ...] = ("distill", "finetune")
# The first stage that a setting affects, by the first part of its key; all others affect the first stage.
_FIRST_STAGE: dict[str, Stage] = {"student": "distill", "distill": "distill", "finetune": "finetune"}
# Settings that may change within a run: it can be exported and scored again, and resume on another machine.
_FREE = ("device", "export", "protocol", "summary", "calibrated_minutes")
# A stage's share of the minutes matters by the steps that follow from it.
_NOT_TRAINING: dict[str, Any] = {**dict.fromkeys(_FREE, True), **{stage: {"share": True} for stage in TRAINING}}


def stages_of(config: PipelineConfig) -> tuple[Stage, ...]:
    """Return the stages that a pipeline has: all, or without a student those that need none."""
    return tuple(stage for stage in STAGES if config.student is not None or stage not in _OF_A_STUDENT)


def changed_settings(before: PipelineConfig, after: PipelineConfig) -> list[str]:
    """Return the settings, by flat key, in which two pipelines differ and that affect training."""
    left, right = (flat(config.model_dump(mode="json", exclude=_NOT_TRAINING)) for config in (before, after))
    return sorted(name for name in left | right if not _equal(name, left.get(name), right.get(name)))


def _equal(key: str, value: Any, other: Any) -> bool:
    """Whether two values of a setting are equal; a component may be named with or without its distribution."""
    if key.endswith(".name") and isinstance(value, str) and isinstance(other, str):
        return same_component(value, other)
    return bool(value == other)


def first_stage(settings: Iterable[str]) -> Stage | None:
    """Return the first stage that one of the ``settings`` (flat keys) affects; None without any.

    >>> first_stage(["finetune.steps", "distill.loss.name"])
    'distill'
    """
    stages = [_FIRST_STAGE.get(name.partition(".")[0], STAGES[0]) for name in settings]
    return min(stages, key=STAGES.index, default=None)
