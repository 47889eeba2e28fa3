"""The distributions that a pipeline needs: those that its components' full names name."""

from __future__ import annotations

from nfcore.config.schema import PipelineConfig
from nfcore.errors import UserError
from nfcore.plugin.catalogue import index
from nfcore.plugin.entry_points import canonical
from nfcore.plugin.manager import PluginManager


def needed(config: PipelineConfig) -> list[str]:
    """Return the distributions that the pipeline's components are chosen from, sorted.

    A component that is chosen by its bare name may come from any distribution, and is left out.
    """
    return sorted({canonical(name.partition("/")[0]) for name in _full_names(config)})


def missing(config: PipelineConfig, manager: PluginManager) -> list[str]:
    """Return those of ``needed`` that are neither installed nor disabled, sorted."""
    known = {plugin.distribution for plugin in manager.plugins}
    known |= {source.distribution for source, _ in manager.disabled}
    return [name for name in needed(config) if name not in known]


def check_needs(config: PipelineConfig, recipe: str, manager: PluginManager) -> None:
    """Check that what the pipeline needs is installed, all of it at once.

    Raises:
        UserError: something is missing; says which command installs it.

    """
    absent = missing(config, manager)
    if not absent:
        return
    without_exports = {canonical(name.partition("/")[0]) for name in _full_names(config, exports=False)}
    way_out = "" if without_exports & set(absent) else ", or choose other exports with --export"
    raise UserError(
        f"recipe {recipe!r} needs {' and '.join(absent)}, not installed here: {install_command(absent)}{way_out}"
    )


def install_command(distributions: list[str]) -> str:
    """Return the command that installs ``distributions``, as the catalogue has it.

    >>> install_command(["nfcore-other"])
    'pip install nfcore-other'
    """
    prefix = "pip install "
    known = {entry.distribution: entry.install.removeprefix(prefix) for entry in index()}
    return prefix + " ".join(known.get(name, name) for name in distributions)


def _full_names(config: PipelineConfig, *, exports: bool = True) -> list[str]:
    return [
        choice.name
        for kind, choice in config.components.values()
        if "/" in choice.name and (exports or kind != "exporter")
    ]
