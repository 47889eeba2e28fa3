"""The commands ``nfcore push``, ``nfcore pull`` and ``nfcore download``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nfcore.cli import JsonOption, QuietOption, RunArgument, RunsOption, print_json, print_table, run_folder, say

NameArgument = Annotated[
    str, typer.Argument(metavar="hf:OWNER/NAME", help="A repository on the Hugging Face Hub.")
]


def push(
    run: RunArgument,
    name: NameArgument,
    runs: RunsOption = Path("runs"),
    private: Annotated[bool, typer.Option("--private", help="Only for you, if the repository is new.")] = False,
    licence: Annotated[str | None, typer.Option(help="Licence of the model, such as cc-by-4.0.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Share a run's student on the Hugging Face Hub: its file, exports, recipe, figures and a model card."""
    from nfcore_hub.hub import repository
    from nfcore_hub.push import push_run

    address = push_run(run_folder(run, runs), repository(name), private=private, licence=licence)
    if as_json:
        print_json({"address": address})
    else:
        say(address)


def pull(
    name: NameArgument,
    out: Annotated[Path | None, typer.Argument(help="New folder; by default the repository's name.")] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Get a shared student from the Hugging Face Hub; all files are checked before the folder appears."""
    from nfcore_hub.hub import repository
    from nfcore_hub.pull import pull_model

    repo = repository(name)
    pulled = pull_model(repo, out or Path(repo.rpartition("/")[2]), revision)
    if as_json:
        print_json({"model": str(pulled.model), "exports": [str(folder) for folder in pulled.exports]})
        return
    say(f"model: {pulled.model}")
    for folder in pulled.exports:
        say(f"export: {folder}")
    if pulled.left_out:
        say(f"left out: {pulled.left_out} files that are not part of an nfcore model")
    say(f"to render it: nfcore render {pulled.model}")


def download(
    name: Annotated[str | None, typer.Argument(help="A scene; without it, all scenes are listed.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--to", help="Folder for data; by default NFCORE_DATA, else ./data."),
    ] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Download a public scene by name, with its licence."""
    from nfcore_hub.datasets import SCENES, scene_named

    if name is None:
        if as_json:
            print_json([scene.described() for scene in SCENES])
        else:
            rows = [[s.name, s.licence, s.author, s.archive.title] for s in SCENES]
            print_table(["scene", "licence", "by", "from"], rows)
        return
    from nfcore_hub.download import download_scene

    scene = scene_named(name)
    root = folder or Path(os.environ.get("NFCORE_DATA", "data"))
    if not as_json:
        say(f"{scene.name}: {scene.licence}, by {scene.author} ({scene.source}); {scene.archive.title}")
    path = download_scene(scene, root, quiet=quiet or as_json)
    if as_json:
        print_json(scene.described() | {"path": str(path)})
    else:
        say(f"scene: {path}")
        say(f"to learn it: nfcore run quickstart --scene {path}")
