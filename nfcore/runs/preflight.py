"""Checks before a long fit: builds and tries the components that a run needs after its teacher."""

from __future__ import annotations

from nfcore.config.schema import PipelineConfig
from nfcore.interfaces import RaySource
from nfcore.interfaces.boundaries import calling, check_novel
from nfcore.io.tensors import seeded
from nfcore.plugin.manager import PluginManager
from nfcore.runs.untrained import new_student
from nfcore.student.trial import try_student

# Number of novel cameras to try.
_NOVEL = 2


def preflight(config: PipelineConfig, source: RaySource, components: PluginManager) -> None:
    """Build the exporters, draw novel cameras, and run the parts of the student, if any, once on a few rays.

    Raises:
        ContractError: the ray source or a part of the student breaks a rule.
        UserError: a part or an exporter can't be built.

    """
    for choice in config.export.values():
        components.build("exporter", choice.name, choice.options)
    with calling(source, "sample_cameras"):
        cameras = source.sample_cameras(_NOVEL, seeded(config.seed))
    check_novel(source, cameras, _NOVEL, source.views("train").cameras)
    if config.student is not None:
        try_student(new_student(config, source, components))
