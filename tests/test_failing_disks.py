"""Whatever a full or read-only disk refuses, a command says so in a line, loses nothing, and succeeds next time.

``NFCORE_FAULTS=20`` lets each command fail that many times, at other writes each time; by default a few commands
fail once, at the same write.
"""

from __future__ import annotations

import errno
import os
import random
import re
import tempfile
from pathlib import Path

import failing_disk
import fuzzed
import pytest
from fuzzed import restore

pytestmark = pytest.mark.slow

FAULTS = os.environ.get("NFCORE_FAULTS")
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT)
#: The commands that write, each with what is added to the next call of one that failed.
COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "tiny", "--runs", "new", "-q", "--resume"),
    "run --resume": ("run", "half/", "--resume", "-q"),
    "run --set": ("run", "it/", "--resume", "--set", "finetune.steps=6", "-q"),
    "teach": ("teach", "new/it", "--recipe", "tiny", "-q"),
    "distill": ("distill", "it", "--again", "-q"),
    "finetune": ("finetune", "half", "-q"),
    "evaluate": ("evaluate", "it", "--again", "-q"),
    "export": ("export", "it", "copy", "--as", "more", "-q"),
    "export of a file": ("export", "it/student.safetensors", "copy", "--out", "new", "-q"),
    "render": ("render", "it", "--again", "-q"),
    "render of a picture": ("render", "it", "--path", "reference", "--still", "0", "--out", "new/a.png", "-q"),
    **{
        f"render of {kind}": ("render", "it", "--frames", "3", "--format", kind, "--out", f"new/a.{kind}", "-q")
        for kind in ("mp4", "webm", "gif", "png")
    },
    **{
        f"render of depth as {kind}": (
            *("render", "it", "--depth", "--depth-range", "1:5", "--path", "reference"),
            *("--format", kind, "--out", f"new/{kind}", "-q"),
        )
        for kind in ("png16", "npy")
    },
    "report": ("report", "it"),
    "report --out": ("report", "it", "--out", "new/report.html"),
    "bench": ("bench", "it", "--seconds", "0.01", "--threads", "1", "--no-memory", "-q"),
    "shrink": ("shrink", "it", "--exporter", "copy", "--threads", "1", "-q"),
    "scene": ("scene", "./blender", "--image-size", "8", "--picture", "new/scene.png"),
    "plugins new": ("plugins", "new", "new-parts", "--kind", "backbone", "--out", "new"),
    "make-scene": ("make-scene", "new", "--image-size", "8"),
    **{
        f"make-scene --format {name}": (
            "make-scene",
            "new",
            "--image-size",
            "8",
            "--photos",
            "3",
            "--format",
            name,
        )
        for name in ("colmap", "llff", "transforms")
    },
}

QUICK = ("run", "export", "render of mp4", "make-scene")
TRIED = COMMANDS if FAULTS else {name: COMMANDS[name] for name in QUICK}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the commands need, and the only one that they write to."""
    with fuzzed.prepared(tmp_path_factory.mktemp("disk")) as folder, pytest.MonkeyPatch.context() as patch:
        (folder.parent / "temporary").mkdir()
        patch.setattr(tempfile, "tempdir", str(folder.parent / "temporary"))
        yield folder


@pytest.fixture(scope="module")
def undisturbed(place):
    """For each command: how many writes it takes, and the files that there are after it."""
    known = {}
    for name, command in TRIED.items():
        with failing_disk.counting(place.parent) as writes:
            done = fuzzed.outcome(*command)
        assert done.code == 0, done.said
        known[name] = len(writes), files(place)
        restored(place)
    return known


@pytest.mark.parametrize("name", TRIED)
def test_a_disk_that_refuses_any_write_costs_a_line_and_no_file(place, undisturbed, name):
    writes, after = undisturbed[name]
    chances = random.Random(None if FAULTS else name)
    restored(place)  # whatever an earlier test has left
    for _ in range(int(FAULTS or 1)):
        before, first, error = files(place), chances.randrange(writes), chances.choice(ERRORS)
        with failing_disk.failing(place.parent, error, first) as failed:
            done = fuzzed.outcome(*COMMANDS[name])
        where = f"{name} at write {first} of {writes}, {os.strerror(error)}: {failed} {done}"
        assert done.code or not failed or "report" in str(failed), where  # else it took fewer writes this time
        assert_ended_well(place, done, before, where)
        assert_succeeds(place, COMMANDS[name], after, where)


@pytest.mark.parametrize("name", TRIED)
def test_a_disk_that_is_full_in_the_middle_of_a_file_costs_a_line_and_no_file(place, undisturbed, name):
    _, after = undisturbed[name]
    chances = random.Random(None if FAULTS else name)
    restored(place)  # whatever an earlier test has left
    for _ in range(int(FAULTS or 1)):
        before, size = files(place), int(10 ** chances.uniform(0, 4))
        with failing_disk.room_for(size):
            done = fuzzed.outcome(*COMMANDS[name])
        where = f"{name} with room for {size} bytes: {done}"
        assert_ended_well(place, done, before, where)
        assert_succeeds(place, COMMANDS[name], after, where)


def assert_ended_well(place: Path, done: fuzzed.Outcome, before: set[str], where: str) -> None:
    assert done.code in (0, 1, 2), where
    assert "Traceback" not in done.said, where
    assert "; its traceback: " not in done.said, where
    assert len([line for line in done.said.splitlines() if line.startswith("nfcore: ")]) <= 2, where
    assert "input/output" not in done.said, where  # what could not be written is named
    assert not [name for name in files(place) if is_temporary(name)], where
    # What a repeated stage makes again may be missing until it is made; what the user gave may not.
    assert {name for name in before if not name.startswith(("it/", "half/"))} <= files(place), where


def assert_succeeds(place: Path, command: tuple[str, ...], after: set[str], where: str) -> None:
    try:
        if files(place) != after or command[0] not in (
            "make-scene",
            "plugins",
        ):  # which refuse an old folder
            again = fuzzed.outcome(*command)
            assert again.code == 0, f"{where}, then {again}"
        assert files(place) == after, where
    finally:
        restored(place)


def files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if "/tensorboard/" not in name}  # each call's have names of their own


def is_temporary(name: str) -> bool:
    return any(re.fullmatch(r"\..+\.[a-z0-9_]{8}", part) for part in name.split("/"))


def restored(place: Path) -> None:
    for top in ("it", "half"):
        restore(place, top)
