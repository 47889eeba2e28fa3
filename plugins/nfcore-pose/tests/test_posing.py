"""Photos without poses become a data set with the poses that they were taken from."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import textured_room

import nfcore
from conftest import SMALL
from nfcore.ui import Console
from nfcore_pose import estimation, worker_process
from nfcore_pose.estimation import posed_capture

pytestmark = pytest.mark.slow


def poses_in(data_set) -> np.ndarray:
    frames = json.loads((data_set / "transforms.json").read_text())["frames"]
    return np.array([frame["transform_matrix"] for frame in frames])[:, :3]


def test_every_photo_gets_the_pose_that_it_was_taken_from(posed_room):
    assert (posed_room.posed.registered, posed_room.posed.unregistered) == (textured_room.COUNT, ())
    off, degrees = textured_room.disagreement(poses_in(posed_room.folder), textured_room.walk(textured_room.COUNT))
    assert off < 0.01
    assert degrees < 0.5
    focal = json.loads((posed_room.folder / "transforms.json").read_text())["fl_x"]
    assert focal == pytest.approx(textured_room.FOCAL, rel=0.02)


def test_the_data_set_is_read_as_colmaps_and_as_transforms(posed_room, room):
    options = {"path": posed_room.folder, "test_every": 3}
    for reader, names in (("colmap", ""), ("transforms", "images/")):
        source = nfcore.plugins().build("ray_source", reader, options, 120)
        assert (len(source.views("train")), len(source.views("test"))) == (4, 3)
        assert f"{names}Küche a/0 ok.png" in source.views("test").names
    kept = (posed_room.folder / "images" / "Küche a" / "0 ok.png").read_bytes()
    assert kept == (room / "Küche a" / "0 ok.png").read_bytes()


def test_photos_that_were_posed_are_not_posed_again(posed_room, room, monkeypatch):
    monkeypatch.setattr(estimation, "run_worker", lambda *_: pytest.fail("posed again"))
    with Console(quiet=True) as console:
        assert posed_capture(room, SMALL, console) == posed_room


def test_an_interrupted_call_is_resumed_with_the_same_result_even_with_a_damaged_database(
    room, posed_room, monkeypatch, tmp_path
):
    monkeypatch.setattr(estimation, "cache_folder", lambda: tmp_path)
    seen: list[str] = []

    def interrupt(self, event):
        seen.append(event.stage)
        if event.stage == "mapping":
            raise KeyboardInterrupt

    with Console(quiet=True) as console:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(estimation._Progress, "show", interrupt)
            posed_capture(room, SMALL, console)
        (folder,) = (folder for folder in tmp_path.iterdir() if folder.is_dir())
        shutil.copyfile(folder / "database.db", tmp_path / "sound.db")
        features = [event for event in resumed(room, console, monkeypatch) if event.stage == "features"]
        assert [(event.done, event.total) for event in features] == [
            (textured_room.COUNT, textured_room.COUNT)
        ]  # none was searched again
        assert np.array_equal(poses_in(folder / "dataset"), poses_in(posed_room.folder))
        # The same again, with a database that was damaged while it was written.
        shutil.rmtree(folder / "dataset")
        whole = (tmp_path / "sound.db").read_bytes()
        (folder / "database.db").write_bytes(whole[: len(whole) // 2] + bytes(len(whole) // 4))
        features = [event for event in resumed(room, console, monkeypatch) if event.stage == "features"]
        assert features[0].done == 0
        assert (folder / "dataset" / "poses.json").is_file()


def resumed(room, console, monkeypatch):
    events, show = [], estimation._Progress.show

    def remember(self, event):
        events.append(event)
        show(self, event)

    with monkeypatch.context() as patch:
        patch.setattr(estimation._Progress, "show", remember)
        posed_capture(room, SMALL, console)
    return events


def test_the_worker_dies_with_the_call_that_started_it(room, monkeypatch, tmp_path):
    started = []
    popen = worker_process.subprocess.Popen

    def start(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    def interrupt(self, event):
        raise KeyboardInterrupt

    monkeypatch.setattr(estimation, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(worker_process.subprocess, "Popen", start)
    monkeypatch.setattr(estimation._Progress, "show", interrupt)
    with Console(quiet=True) as console, pytest.raises(KeyboardInterrupt):
        posed_capture(room, SMALL, console)
    assert started[0].returncode is not None
