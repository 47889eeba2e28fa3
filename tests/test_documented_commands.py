"""Every ``nfcore`` command that a page shows is one that the command line takes, with settings that there are."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from documentation import DOCS, ROOT, commands
from PIL import Image

from nfcore.cli import app
from nfcore.config.resolve import configure_with_sources
from nfcore.plugin.installed import plugins

#: The tutorial's commands are run one by one by a test of their own.
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("plugins/*/README.md")))
    if page.name != "tutorial.md"
]
#: Recipes to which exporters belong that need something baked; the others export a student.
_BAKED = {"webgl": "baked", "snerg": "snerg", "mesh": "field", "points": "field", "splats": "field"}


def accepted(words: list[str]) -> typer.Context:
    """Parse a command as the command line does; return the context of the command that it ends at."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("nfcore", list(words))
    while rest := [*context._protected_args, *context.args]:
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        if not hasattr(command, "resolve_command"):
            break
    return context


def configure_as(context: typer.Context) -> None:
    """Resolve the pipeline that the command would run, or the exports that it would add to a run."""
    given = context.params
    changes = list(given.get("changes") or ())
    if context.info_name == "export":
        named = [] if given["exporters"] is None else list(given["exporters"])
        for name in named:
            prefixed = [f"export.{name}.{change}" for change in changes]
            recipe = _BAKED.get(name, "quickstart")
            configure_with_sources(recipe, plugins(), exports=name, changes=prefixed)
    elif context.info_name in ("run", "teach"):
        recipe = given["recipe"]
        if recipe.endswith(".toml") or recipe == "RECIPE":
            return
        recipe = Path(recipe).name if recipe.startswith("runs/") else recipe
        options = {key: given.get(key) for key in ("scene", "teacher", "exports", "protocol")}
        if (options["scene"] or "").startswith("runs/"):
            options["scene"] = "teacher-views:" + options["scene"]
        configure_with_sources(recipe, plugins(), changes=changes, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with what the pages call the user's own: photos, a film, splats, a run."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("PATH", "path/to/photos", "can-posed"):
        photos = folder / name
        photos.mkdir(parents=True)
        frames = [{"file_path": "./0", "transform_matrix": np.eye(4).tolist()}]
        for split in ("train", "test"):
            text = json.dumps({"camera_angle_x": 0.7, "frames": frames})
            (photos / f"transforms_{split}.json").write_text(text)
        Image.new("RGBA", (4, 4)).save(photos / "0.png")
    for name in ("can.mp4", "bike.spz", "bike.ply"):
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.slow  # exporters import what they convert with
@pytest.mark.parametrize(
    "page", [page for page in PAGES if commands(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_each_command_of_the_page_is_accepted_with_its_settings(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    for words in commands(page):
        try:
            configure_as(accepted(words))
        except Exception as error:
            raise AssertionError(f"nfcore {shlex.join(words)}") from error


@pytest.mark.slow
def test_a_command_with_an_option_or_a_setting_that_is_not_there_is_refused(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for line in (
        "render RUN --pth spiral",
        "runn quickstart",
        "export RUN onnx --set precison=fp16",
        "run quickstart --set image_sise=200",
    ):
        with pytest.raises(Exception, match=r"pth|runn|precison|image_sise"):
            configure_as(accepted(shlex.split(line)))
