"""The loss that a stage's configuration names."""

from __future__ import annotations

from nfcore.config.schema import TrainingConfig
from nfcore.interfaces import Loss
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager


def build_loss(config: TrainingConfig, components: PluginManager | None = None) -> Loss:
    """Return the loss of a stage, found in ``components`` or among the installed plugins.

    Raises:
        PluginError: no plugin offers it.
        UserError: it has no such option.

    """
    return (components or plugins()).build("loss", config.loss.name, config.loss.options)
