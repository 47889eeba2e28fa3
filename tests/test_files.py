"""A file holds its old content or its new one, whatever happens in between."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nfcore.io.atomic import atomic_path, write_atomic, write_json

WRITE = """
import errno, resource, sys
from pathlib import Path
from nfcore.io.atomic import write_atomic
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if sys.argv[2] != "-":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    write_atomic(Path(sys.argv[1]), b"new" * 1_000_000)
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_is_there_and_nothing_else(tmp_path):
    write_atomic(tmp_path / "deep" / "a.txt", "grün")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == "grün".encode()
    write_atomic(tmp_path / "deep" / "a.txt", b"\x00")
    assert (tmp_path / "deep" / "a.txt").read_bytes() == b"\x00"
    assert listing(tmp_path / "deep") == ["a.txt"]


def test_json_is_indented_and_ends_its_last_line(tmp_path):
    write_json(tmp_path / "a.json", {"x": [1.5, None]})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"x": [1.5, None]}
    assert text.endswith("}\n")


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), OSError(28, "full")])
def test_a_writer_that_raises_leaves_the_old_file_and_nothing_beside_it(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["a.txt"]


def test_a_new_file_is_not_seen_before_it_is_whole(tmp_path):
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        assert not (tmp_path / "a.txt").exists()
        temporary.write_text("whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def write_folder(folder: Path, **files: str) -> None:
    (folder / "sub").mkdir(parents=True)
    for name, text in files.items():
        (folder / "sub" / name).write_text(text)


def test_a_folder_replaces_a_folder_whole(tmp_path):
    write_folder(tmp_path / "out", a="old", b="old")
    with atomic_path(tmp_path / "out") as temporary:
        write_folder(temporary, a="new")
    assert listing(tmp_path / "out" / "sub") == ["a"]
    assert (tmp_path / "out" / "sub" / "a").read_text() == "new"
    assert listing(tmp_path) == ["out"]


def test_a_folder_that_fails_half_way_leaves_the_old_folder(tmp_path):
    write_folder(tmp_path / "out", a="old")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "out") as temporary:
        write_folder(temporary, a="new")
        raise RuntimeError
    assert (tmp_path / "out" / "sub" / "a").read_text() == "old"
    assert listing(tmp_path) == ["out"]


def test_every_file_is_synced_before_it_takes_its_place(tmp_path, monkeypatch):
    events = []
    sync, replace = os.fsync, Path.replace

    def noted_sync(descriptor):
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        sync(descriptor)

    def noted_replace(path, target):
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr("os.fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    write_atomic(tmp_path / "a.txt", "x")
    assert events == ["a.txt", "rename", tmp_path.name]


def written_by_subprocess(path: Path, limit: int | str) -> str:
    done = subprocess.run([sys.executable, "-c", WRITE, path, str(limit)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_a_write_over_the_file_size_limit_is_an_os_error_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    assert written_by_subprocess(path, 100_000) == "EFBIG"
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["a"]
    assert written_by_subprocess(path, "-") == ""  # without the limit, the same write succeeds
    assert path.read_bytes() == b"new" * 1_000_000


@pytest.fixture
def small_disk(tmp_path):
    mount, umount = shutil.which("mount"), shutil.which("umount")
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        not mount
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True).returncode
    ):
        pytest.skip("mounting a small tmpfs is not permitted here")
    yield disk
    subprocess.run([umount, disk], check=True)


@pytest.mark.slow
def test_a_full_disk_is_an_os_error_and_leaves_the_old_file(small_disk):
    path = small_disk / "a"
    path.write_text("old")
    assert written_by_subprocess(path, "-") == "ENOSPC"
    assert path.read_text() == "old"
    assert listing(small_disk) == ["a"]


@pytest.mark.slow
def test_a_read_only_disk_is_an_os_error_and_leaves_the_old_file(small_disk):
    path = small_disk / "a"
    path.write_text("old")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(OSError, match="Read-only file system"):
        write_atomic(path, "new")
    assert path.read_text() == "old"


@pytest.mark.slow
def test_a_write_that_fails_names_its_file(small_disk):
    path = small_disk / "a"
    with pytest.raises(OSError, match="No space left") as failure:
        write_atomic(path, bytes(2 << 20))
    assert failure.value.filename == str(path)
