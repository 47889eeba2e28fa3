"""Throw-away distributions: as an installer leaves them in a folder of PYTHONPATH, or as a folder of sources."""

from __future__ import annotations

from pathlib import Path

from nfcore.plugin.components import INTERFACE_LEVELS

TESTS = Path(__file__).parent
VERSION = "1.2"
#: The core's own exporters take seconds to import, which ``doctor`` does; they are not what is tested here.
QUICKLY = {"NFCORE_PLUGINS_DISABLE": "nfcore-coreml, nfcore_onnx"}

PLUGIN = """
import nfcore

@nfcore.hookimpl
def nfcore_components():
    yield nfcore.Component({component})
"""
TINY = """
import nfcore
from tiny_plugin import nfcore_recipes

@nfcore.hookimpl
def nfcore_components():
    yield nfcore.Component("teacher", "sky", "tiny:Sky", summary="The sky", level=2)
    yield nfcore.Component("backbone", "mixing", "tiny:Mixing")
    yield nfcore.Component("upsampler", "mixing", "tiny:Shuffle")
    yield nfcore.Component("exporter", "optionless", "tiny_plugin:Path", level=2)
"""


def offering(*arguments: object, **named: object) -> str:
    """The source of a plugin module that offers one component, described by ``nfcore.Component``'s arguments."""
    named = {"level": INTERFACE_LEVELS.get(arguments[0], 1)} | named
    words = [*map(repr, arguments), *(f"{name}={value!r}" for name, value in named.items())]
    return PLUGIN.format(component=", ".join(words))


def install(folder: Path, distribution: str, source: str, entry_points: str | None = None) -> Path:
    """Put a distribution with one module into ``folder``, as ``pip install --target`` would; return the folder."""
    package = distribution.replace("-", "_")
    information = folder / f"{package}-{VERSION}.dist-info"
    information.mkdir(parents=True)
    (folder / f"{package}.py").write_text(source)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {VERSION}\n\nText.\n"
    )
    (information / "entry_points.txt").write_text(entry_points or f"[nfcore]\nentry = {package}\n")
    return folder


def source_folder(
    folder: Path, distribution: str, target: str, source: str = "from tiny_plugin import *\n"
) -> Path:
    """Write a distribution with one module to ``folder``, for ``--plugins-dir``; by default the tiny plugin.

    Args:
        folder: created where it is missing.
        distribution: its name.
        target: of its entry point: the module, and after a colon the object in it that is the plugin.
        source: of the module. One process loads a module's name once, whatever folder it is in.

    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{distribution}"\nversion = "1"\n[project.entry-points.nfcore]\nentry = "{target}"\n'
    )
    (folder / f"{target.partition(':')[0]}.py").write_text(source)
    return folder


def tiny_distribution(folder: Path) -> list[Path]:
    """Install a distribution ``tiny-dist`` with some of the tiny components; return the path that finds it."""
    return [install(folder, "tiny-dist", TINY), TESTS]
