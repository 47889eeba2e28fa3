"""Shell completion of the names of components, recipes and runs; on an error it proposes nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel

from nfcore.errors import NfcoreError
from nfcore.options import model_in
from nfcore.plugin.components import Kind
from nfcore.plugin.installed import plugins

#: Proposals as a shell shows them: the word and its description.
Proposals = list[tuple[str, str]]
Completer = Callable[[str], Proposals]


def _quiet(complete: Completer) -> Completer:
    """Return a completer that swallows errors: they would be printed into the line that the user is typing."""

    @functools.wraps(complete)
    def completer(incomplete: str) -> Proposals:
        try:
            return [(word, text) for word, text in complete(incomplete) if word.startswith(incomplete)]
        except (NfcoreError, OSError):
            return []

    return completer


def _components(kind: Kind) -> Proposals:
    return _distinct([(p.distribution, c.name, c.summary) for p, c in plugins().components(kind)])


def _distinct(offers: list[tuple[str, str, str]]) -> Proposals:
    """Return the shortest unambiguous name of each offer (distribution, name, summary)."""
    names = [name for _, name, _ in offers]
    return [
        (name if names.count(name) == 1 else f"{distribution}/{name}", summary)
        for distribution, name, summary in offers
    ]


@_quiet
def teachers(incomplete: str) -> Proposals:
    """Propose the names of teachers."""
    return _components("teacher")


@_quiet
def scenes(incomplete: str) -> Proposals:
    """Propose the names of ray sources, and the folders that a path may mean."""
    return [*_components("ray_source"), *_folders(incomplete)]


@_quiet
def exporters(incomplete: str) -> Proposals:
    """Propose the names of exporters, after those that a comma-separated list has already."""
    done, comma, _ = incomplete.rpartition(",")
    return [
        (f"{done}{comma}{name}", text) for name, text in _components("exporter") if name not in done.split(",")
    ]


@_quiet
def settings(incomplete: str) -> Proposals:
    """Propose the settings of a pipeline, such as ``distill.steps=``; options of components are left out."""
    from nfcore.config.schema import PipelineConfig

    return [(f"{name}=", text) for name, text in _fields(PipelineConfig)]


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the flat key and the description of each field of a pydantic model."""
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is not None:
            yield from _fields(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, field.description or ""


@_quiet
def camera_paths(incomplete: str) -> Proposals:
    """Propose camera paths, and the JSON files and folders that the text may mean."""
    named = [
        ("orbit", "around the scene, or in front of it"),
        ("spiral", "up and down around it"),
        ("test", "the test photos' poses"),
        ("reference", "the poses saved with the student"),
    ]
    files = [(str(path), "file") for path in sorted(Path(f"{incomplete}_").parent.glob("*.json"))]
    return [*named, *files, *_folders(incomplete)]


@_quiet
def any_component(incomplete: str) -> Proposals:
    """Propose the names of all components; one that several kinds have is proposed once."""
    return list({c.name: (c.name, c.summary) for _, c in plugins().components()}.values())


@_quiet
def recipes(incomplete: str) -> Proposals:
    """Propose the names of recipes, and the recipe files here."""
    files = [(str(path), "recipe file") for path in sorted(Path().glob("*.toml"))]
    return _distinct([(p.distribution, r.name, r.summary) for p, r in plugins().recipes()]) + files


@_quiet
def protocols(incomplete: str) -> Proposals:
    """Propose the protocols by which a run can be scored."""
    published = [(plugin.distribution, p.name, p.summary) for plugin, p in plugins().publications()]
    return [("all", "every test view"), *_distinct(published)]


@_quiet
def runs(incomplete: str) -> Proposals:
    """Propose the names of the runs under ``runs/``, and the folders and students' files that a path may mean."""
    named = [(path.parent.name, "run") for path in sorted(Path("runs").glob("*/config.toml"))]
    paths = sorted(Path(f"{incomplete}_").parent.iterdir())
    students = [(str(path), "student") for path in paths if path.suffix == ".safetensors"]
    return [*named, *_folders(incomplete), *students]


def _folders(incomplete: str) -> Proposals:
    """Return the folders that start with the path ``incomplete``."""
    paths = sorted(Path(f"{incomplete}_").parent.iterdir())
    return [(f"{path}/", "folder") for path in paths if path.is_dir()]
