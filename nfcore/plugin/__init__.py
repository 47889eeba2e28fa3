"""Plugins: their components, and how they are found, loaded in isolation and looked up by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcore.runtime.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nfcore.plugin.components import KINDS as KINDS
    from nfcore.plugin.components import Kind as Kind
    from nfcore.plugin.installed import plugin_folders as plugin_folders
    from nfcore.plugin.installed import use_plugin_folders as use_plugin_folders
    from nfcore.plugin.isolation import reason as reason
    from nfcore.plugin.manager import PluginManager as PluginManager
    from nfcore.plugin.run_logger import RunLog as RunLog
    from nfcore.plugin.run_logger import RunLogger as RunLogger
    from nfcore.plugin.tracking_id import TrackingId as TrackingId
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
