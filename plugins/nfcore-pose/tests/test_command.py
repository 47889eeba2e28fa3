"""``nfcore pose`` writes a data set, and says what was posed and what was not."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys

import pytest
import textured_room

from nfcore.cli import main
from nfcore_pose import estimation

pytestmark = pytest.mark.slow


@pytest.fixture
def nfcore_pose(monkeypatch, tmp_path, capfd):
    """Run ``nfcore pose`` in this process; returns exit code, output and errors."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("sys.argv", ["nfcore", "pose", *map(str, arguments), "--features-at", "240"])
        with pytest.raises(SystemExit) as exit_:
            main()
            sys.exit(0)
        return int(exit_.value.code or 0), *capfd.readouterr()

    return run


def test_the_data_set_comes_with_a_report_and_a_picture(room, nfcore_pose, tmp_path, monkeypatch, capfd):
    code, out, _ = nfcore_pose(room, "out")
    assert code == 0
    assert "7 of 7 photos" in out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("images", "sparse", "transforms.json", "sparse_pc.ply", "poses.json", "scene.png")
    }
    code, out, _ = nfcore_pose(room, "out", "--json")  # the same again: up to date
    assert (code, json.loads(out)["registered"]) == (0, 7)
    summary = summarised("out", monkeypatch, capfd)
    assert not any("transforms" in warning for warning in summary["warnings"])  # one data set in two forms


def summarised(folder, monkeypatch, capfd):
    """What ``nfcore scene`` says of a folder."""
    monkeypatch.setattr("sys.argv", ["nfcore", "scene", folder, "--json"])
    with contextlib.suppress(SystemExit):
        main()
    return json.loads(capfd.readouterr().out)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 40 kB; returns its folder and what gives it more space."""
    disk, mount = tmp_path / "disk", shutil.which("mount")
    disk.mkdir()
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=40k", "tmpfs", disk]).returncode:
        pytest.skip("mounting a small tmpfs is not permitted here")
    yield disk, lambda: subprocess.run([mount, "-o", "remount,size=60m", disk], check=True)
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("full", ["the cache", "where the data set goes"])
def test_a_full_disk_is_one_line_and_the_same_command_resumes(full, room, nfcore_pose, small_disk, monkeypatch):
    disk, enlarge = small_disk
    if full == "the cache":
        monkeypatch.setattr(estimation, "cache_folder", lambda: disk / "cache")
    code, _, said = nfcore_pose(room, disk / "out", "--quiet")
    assert code == 1
    assert len(said.splitlines()) == 1
    assert "no space left" in said.lower()
    assert str(disk) in said
    assert not (disk / "out").exists()
    enlarge()
    code, out, _ = nfcore_pose(room, disk / "out", "--quiet")
    assert code == 0
    assert "7 of 7 photos" in out


def test_a_photo_without_a_pose_is_named_with_advice(nfcore_pose, tmp_path):
    photos = textured_room.save_photos(tmp_path / "photos", textured_room.walk(5))
    textured_room.save_photos(photos, textured_room.walk(1), seed=1, names=["other.png"])
    code, out, _ = nfcore_pose(photos)
    assert code == 0
    assert "5 of 6 photos" in out
    assert "other.png" in out
    assert (tmp_path / "photos-posed" / "poses.json").is_file()


def test_a_folder_that_holds_something_else_is_not_replaced(room, nfcore_pose, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("")
    code, _, errors = nfcore_pose(room, "out")
    assert code == 2
    assert "out exists already" in errors
    assert (tmp_path / "out" / "precious").is_file()
