"""The stages of a pipeline in their order, and the first one that follows from a setting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from nfcore.config.layers import same_component
from nfcore.config.schema import PipelineConfig
from nfcore.config.setting_sources import flat

#: The name of a stage.
Stage = Literal["teach", "distill", "finetune", "evaluate", "render", "export"]
#: All stages, in their order.
STAGES: tuple[Stage, ...] = get_args(Stage)

# The first stage that follows from a setting, by the setting's first word; all others follow from the first stage.
_FIRST_STAGE: dict[str, Stage] = {"student": "distill", "distill": "distill", "finetune": "finetune"}
# A run may be exported and scored again, and resume on another machine: it stays the same run.
_FREE = {"device", "export", "protocol", "summary"}


def changed_settings(before: PipelineConfig, after: PipelineConfig) -> list[str]:
    """Return the settings in which two pipelines differ so that they train something else, by flat key."""
    left, right = (flat(config.model_dump(mode="json", exclude=_FREE)) for config in (before, after))
    return sorted(name for name in left | right if not _alike(name, left.get(name), right.get(name)))


def _alike(key: str, value: Any, other: Any) -> bool:
    """Whether two values of a setting mean the same: a component may be named with its distribution or without."""
    if key.endswith(".name") and isinstance(value, str) and isinstance(other, str):
        return same_component(value, other)
    return bool(value == other)


def first_stage(settings: Iterable[str]) -> Stage | None:
    """Return the first stage that follows from one of the ``settings``, given by flat key; None without any."""
    stages = [_FIRST_STAGE.get(name.partition(".")[0], STAGES[0]) for name in settings]
    return min(stages, key=STAGES.index, default=None)
