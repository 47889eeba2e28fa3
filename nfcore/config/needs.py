"""The distributions that a pipeline needs: those that its components' full names name."""

from __future__ import annotations

from nfcore.config.schema import PipelineConfig
from nfcore.errors import UserError
from nfcore.plugin.catalogue import index
from nfcore.plugin.entry_points import canonical
from nfcore.plugin.manager import PluginManager


def check_needs(config: PipelineConfig, recipe: str, manager: PluginManager) -> None:
    """Check that the distributions that the pipeline's components are chosen from are installed, all at once.

    One that is disabled is named where its component is loaded. A component that is chosen by its bare name may
    come from any distribution.

    Raises:
        UserError: something is missing; says which command installs it.

    """
    known = {plugin.distribution for plugin in manager.plugins}
    known |= {source.distribution for source, _ in manager.disabled}
    missing = {
        (distribution, kind)
        for kind, choice in config.components.values()
        if "/" in choice.name and (distribution := canonical(choice.name.partition("/")[0])) not in known
    }
    if not missing:
        return
    absent = sorted({distribution for distribution, _ in missing})
    way_out = ", or choose other exports with --export" if {kind for _, kind in missing} == {"exporter"} else ""
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
