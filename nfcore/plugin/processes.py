"""Each plugin in a process of its own: the only way to find one that ends or blocks its process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nfcore.plugin.entry_points import PluginSource, discover

_SECONDS = 60


def each_alone(folders: Sequence[Path]) -> Iterator[tuple[PluginSource, str | None]]:
    """Yield each plugin, imported in a process of its own, with how that process ended or what it said was broken.

    Args:
        folders: source folders that plugins are loaded from, in addition to installed ones.

    """
    sources = {source.distribution: source for source in discover(folders)}  # one process for each distribution
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = pool.map(lambda source: _alone(source, folders), sources.values())
        yield from zip(sources.values(), problems, strict=True)


def _alone(source: PluginSource, folders: Sequence[Path]) -> str | None:
    options = [option for folder in folders for option in ("--plugins-dir", str(folder))]
    command = [sys.executable, "-P", "-m", "nfcore", *options, "plugins", "list", "--json"]
    environment = os.environ | {"NFCORE_PLUGINS_ONLY": source.distribution, "NFCORE_PLUGINS_DISABLE": ""}
    try:
        done = subprocess.run(  # noqa: S603 - this very program
            command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"its import does not end within {_SECONDS} s"
    if done.returncode == 0 and done.stdout.lstrip().startswith(b"{"):
        broken = json.loads(done.stdout)["broken"]
        return broken[0]["problem"] if broken else None
    if done.returncode < 0:
        return f"it ends the process that imports it, by {signal.Signals(-done.returncode).name}"
    return f"it ends the process that imports it, with exit code {done.returncode}"
