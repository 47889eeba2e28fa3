"""Run hooks: plugins observe a run, each isolated, so that none can harm or change it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from nfcore.plugin.manager import PluginManager


class RunHooks:
    """Calls the run hooks of all plugins. A plugin that raises is not called again; one line names the reason.

    Args:
        run: the run's folder, the first argument of every run hook.
        manager: the plugins.
        note: prints one line.

    """

    def __init__(self, run: Path, manager: PluginManager, note: Callable[[str], None]) -> None:
        self.run = run
        self.manager = manager
        self.note = note

    def call(self, hook: str, stage: str, **arguments: Any) -> None:
        """Call ``hook`` of every plugin that implements it and has not raised yet."""
        following = {i.plugin_name for i in getattr(self.manager.hooks.hook, hook).get_hookimpls()}
        if not following:
            return
        for plugin in self.manager.plugins:
            if plugin.source.name not in following or plugin.problem:
                continue
            own = copy.deepcopy({"run": self.run, "stage": stage} | arguments)
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                fine = self.manager.call(plugin, hook, **own)
            if not fine:
                self.note(f"{plugin} is switched off: {hook}: {plugin.problem}")
