"""Damage to files, and commands on them: what ``test_fuzzed_files.py`` tries."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import socket
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import tiny
import tiny_plugin
from hypothesis import strategies as st
from installed import source_folder
from plugins_in_memory import hooks

from nfcore import Interrupted
from nfcore.cli import main
from nfcore.config.resolve import configure
from nfcore.plugin.manager import PluginManager
from nfcore.runs import checkpoints, execute
from nfcore.scene.camera_paths import write_path

TABLES = """
from pathlib import Path
import nfcore

@nfcore.hookimpl
def nfcore_publications():
    yield nfcore.Publication("tables", Path(__file__).with_name("tables.toml"))
"""
STILL = ("--still", "0", "--quiet")
POSES = ("--path", "reference", *STILL)
SCENE = ("scene", "--image-size", "8")
BENCH = ("bench", "it", "--seconds", "0.01", "--threads", "1", "--no-memory", "-q")
#: The files that commands read, and the commands that read each.
COMMANDS: dict[str, list[tuple[str, ...]]] = {
    "it/config.toml": [
        ("compare", "it"),
        ("evaluate", "it", "-q"),
        ("report", "it"),
        ("run", "it/", "--resume", "-q"),
        BENCH,
    ],
    "it/summary.json": [("compare", "it"), ("compare", "it", "--paper"), ("compare", "it", "--json")],
    "it/state/results.json": [
        ("evaluate", "it", "-q"),
        ("report", "it"),
        ("render", "it", *POSES),
        ("run", "it/", "--resume", "-q"),
    ],
    "it/metrics.jsonl": [("report", "it")],
    "half/metrics.jsonl": [("finetune", "half", "-q")],
    "it/views.json": [("report", "it")],
    "it/provenance.json": [("report", "it"), ("export", "it", "copy", "-q")],
    "it/exports/exact/manifest.json": [("report", "it"), BENCH],
    "it/exports/exact/copy.safetensors": [BENCH],
    "it/student.safetensors": [
        ("render", "it", *POSES),
        ("render", "it/student.safetensors", *STILL),
        ("evaluate", "it", "--again", "-q"),
        ("export", "it", "copy", "-q"),
    ],
    "it/teacher.safetensors": [("render", "it", "--from", "teacher", *POSES), ("evaluate", "it", "-q")],
    "it/path.json": [("render", "it", "--path", "it/path.json", *STILL)],
    "half/state/finetune.safetensors": [("finetune", "half", "-q")],
    "half/state/distilled.safetensors": [("finetune", "half", "-q"), ("distill", "half", "-q")],
    "sweep.toml": [("sweep", "sweep.toml", "--dry-run"), ("sweep", "sweep.toml", "--dry-run", "--json")],
    "recipe.toml": [
        ("run", "recipe.toml", "--runs", "new", "-q"),
        ("teach", "new/it", "--recipe", "recipe.toml", "-q"),
    ],
    "plugin/pyproject.toml": [("plugins", "list"), ("doctor",), ("recipes", "list", "--json")],
    "tables/tables.toml": [("--plugins-dir", "tables", "compare", "--paper", "--json")],
    "blender/transforms_train.json": [(*SCENE, "./blender"), ("scene", "./blender", "--json")],
    "blender/transforms_test.json": [(*SCENE, "./blender")],
    "blender/train/r_0.png": [(*SCENE, "./blender")],
    "transforms/transforms.json": [(*SCENE, "./transforms"), ("scene", "./transforms", "--json")],
    "transforms/sparse_pc.ply": [(*SCENE, "./transforms")],
    "colmap/sparse/0/cameras.bin": [(*SCENE, "./colmap")],
    "colmap/sparse/0/images.bin": [(*SCENE, "./colmap")],
    "colmap/sparse/0/points3D.bin": [(*SCENE, "./colmap")],
    "text/sparse/0/cameras.txt": [(*SCENE, "./text")],
    "text/sparse/0/images.txt": [(*SCENE, "./text")],
    "text/sparse/0/points3D.txt": [(*SCENE, "./text")],
    "llff/poses_bounds.npy": [(*SCENE, "./llff")],
}  # fmt: skip
#: What takes the place of a few bytes, and of a value of JSON.
PIECES = [
    b"9" * 5000, b"[" * 3000, b"1e999", b"null", b"NaN", b"-1", b"{}", b'"', b"\x00", b"\xff\xfe", b"true",
    b"\x1b[31m", b"\xff" * 8,
]  # fmt: skip
VALUES: list[Any] = [
    None, True, -1, 0, 3, 10**30, 1e308, float("nan"), "", "\x1b[31m[/]", "1" * 5000, "a/../../b", [], {}, [1],
    [[1]], [1e30] * 3, {"x": 1},
]  # fmt: skip


class Outcome(NamedTuple):
    """What a command did: exit code, standard error, seconds of CPU time, and MiB added to the peak of memory."""

    code: int
    said: str
    seconds: float
    mebibytes: int


@contextlib.contextmanager
def prepared(parent: Path) -> Iterator[Path]:
    """Yield a working folder in ``parent`` with all that ``COMMANDS`` names; logs and caches are next to it."""
    folder = parent / "here"
    folder.mkdir()
    _prepare(folder)
    shutil.copytree(folder, parent / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_STATE_HOME", str(parent / "logs"))
        patch.setenv("XDG_CACHE_HOME", str(parent / "cache"))
        yield folder


def restore(folder: Path, top: str) -> None:
    """Make the file or folder ``top`` as it was, and delete what commands made."""
    path, whole = folder / top, folder.parent / "whole" / top
    shutil.rmtree(folder / "new", ignore_errors=True)
    if whole.is_dir():
        shutil.rmtree(path)
        shutil.copytree(whole, path)
    else:
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        shutil.copy(whole, path)


def _prepare(folder: Path) -> None:
    from nfcore_scenes.cli import Format, make_scene

    _write_plugins(folder)
    manager = tiny.manager()
    execute(folder / "it", configure("tiny", manager), components=manager)
    write_path(folder / "it" / "path.json", tiny.student().cameras[:2], fps=24)
    _interrupt(folder / "half")
    (folder / "sweep.toml").write_text('recipes = ["tiny"]\nseeds = [1, 2]\n')
    (folder / "recipe.toml").write_text(Path(__file__).with_name("tiny.toml").read_text())
    with contextlib.redirect_stdout(io.StringIO()):
        for layout in Format:
            photos = None if layout is Format.BLENDER else 8
            make_scene(folder / layout, image_size=16, layout=layout, photos=photos)
        make_scene(folder / "text", image_size=16, layout=Format.COLMAP, photos=8, text=True)


def _interrupt(folder: Path) -> None:
    """Make a run that was interrupted in fine-tuning, after a checkpoint."""

    def nfcore_step(stage: str, step: int) -> None:
        if stage == "finetune" and step == 20:
            raise Interrupted(signal.SIGTERM)

    manager = PluginManager(
        [tiny.source(tiny_plugin), tiny.source(hooks(nfcore_step=nfcore_step), "hook-dist", "h")]
    )
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(checkpoints, "LEAST_SECONDS", 0.0)
        patch.setattr(checkpoints, "MOST_SHARE", 1e9)
        execute(folder, configure("tiny", manager, changes=["finetune.steps=30"]), components=manager)


def _write_plugins(folder: Path) -> None:
    source_folder(folder / "plugin", "tiny-dist", "tiny_in_a_folder")
    tables = source_folder(folder / "tables", "tables-dist", "tables_plugin", TABLES)
    (tables / "tables.toml").write_text(Path(__file__).with_name("tiny_tables.toml").read_text())


@st.composite
def damages(draw: Callable[..., Any]) -> Callable[[Path], None]:
    """Return what damages a file: other bytes, another value, its end cut off, or something else in its place."""
    kind = draw(st.sampled_from(["bytes", "bytes", "value", "value", "cut", "special"]))
    place, length = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(0, 12))
    piece = draw(st.binary(max_size=8) | st.sampled_from(PIECES))
    value = draw(st.sampled_from(VALUES))
    special = draw(st.sampled_from(SPECIAL))

    def damage(path: Path) -> None:
        data = path.read_bytes()
        at = int(place * len(data))
        if kind == "special":
            path.unlink()
            special(path)
        elif kind == "cut":
            path.write_bytes(data[:at])
        elif kind == "value" and path.suffix == ".json":
            tree = json.loads(data)
            holders = list(_holders(tree))
            holder, key = holders[int(place * len(holders))]
            holder[key] = value
            path.write_text(json.dumps(tree))
        else:
            path.write_bytes(data[:at] + piece + data[at + length :])

    return damage


def _holders(node: Any) -> Any:
    """Yield each container in a JSON value with each of its keys."""
    for key in node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _holders(node[key])


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end, contextlib.chdir(path.parent):
        end.bind(path.name)


#: What may be in a file's place.
SPECIAL: list[Callable[[Path], object]] = [
    os.mkfifo,
    _socket,
    Path.mkdir,
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.symlink_to(path.name),
    lambda path: path.symlink_to("/nowhere/at/all"),
    lambda path: path.write_bytes(b""),
    lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40),  # a terabyte of nothing
]


def outcome(*arguments: str) -> Outcome:
    """Run a command in this process."""
    said, before = io.StringIO(), peak()
    start, code = time.process_time(), 0
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr("nfcore.plugin.installed._folders", ())
        own = () if arguments[0] == "--plugins-dir" else ("--plugins-dir", "plugin")
        patch.setattr("sys.argv", ["nfcore", *own, *arguments])
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
    return Outcome(code, said.getvalue(), time.process_time() - start, peak() - before)


def peak() -> int:
    """Return the greatest memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
