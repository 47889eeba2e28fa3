"""A tiny Blender data set that each test may spoil in its own way."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from nfcore import UserError
from nfcore_scenes.capture_writers import write_colmap, write_llff, write_transforms
from nfcore_scenes.photo_shoot import PHONE, PINHOLE, around_poses, forward_poses, shoot
from nfcore_scenes.procedural import Procedural

IDENTITY = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]


class DataSet:
    """A folder with three training and two test photos of 8x6 pixels, as RGBA."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for split, count in (("train", 3), ("test", 2)):
            (folder / split).mkdir(parents=True)
            for i in range(count):
                Image.new("RGBA", (8, 6), (200, 40 * i, 0 if split == "train" else 90, 255)).save(
                    folder / split / f"r_{i}.png"
                )
            self.write(split, self.transforms(split, count))

    @staticmethod
    def transforms(split: str, count: int) -> dict:
        def pose(i: int) -> list:
            c, s = math.cos(i), math.sin(i)
            return [[c, 0, s, 4 * s], [0, 1, 0, 0], [-s, 0, c, 4 * c], [0, 0, 0, 1]]

        frames = [{"file_path": f"./{split}/r_{i}", "transform_matrix": pose(i)} for i in range(count)]
        return {"camera_angle_x": 0.7, "frames": frames}

    def read(self, split: str) -> dict:
        return json.loads((self.folder / f"transforms_{split}.json").read_text())

    def write(self, split: str, transforms: object) -> None:
        (self.folder / f"transforms_{split}.json").write_text(json.dumps(transforms))


@pytest.fixture
def dataset(tmp_path: Path) -> DataSet:
    return DataSet(tmp_path / "toy")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the user's cache of undistorted photos out of the tests."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr("nfcore_scenes.photo_cache.cache_folder", lambda: folder)
    return folder


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same small capture in every layout: folders llff, colmap, text and transforms."""
    folder = tmp_path_factory.mktemp("sound")
    scene = Procedural(Procedural.Options())
    around = shoot(scene, around_poses(6), PHONE.scaled(32, 32), alpha=False)
    write_llff(shoot(scene, forward_poses(6), PINHOLE.scaled(32, 32), alpha=False), folder / "llff")
    write_colmap(around, folder / "colmap")
    write_colmap(around, folder / "text", text=True)
    write_transforms(around, folder / "transforms")
    return folder


@pytest.fixture
def mine(sound: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Return a copy of one of the captures, to be spoilt."""
    return lambda layout: Path(shutil.copytree(sound / layout, tmp_path / layout))


@pytest.fixture(scope="session")
def refusal() -> Callable[..., str]:
    """Return the one or two lines with which a call is refused; they hold all of the given words."""

    def refused(make: Callable[[], object], *words: str) -> str:
        with pytest.raises(UserError) as error:
            make()
        text = str(error.value)
        assert len(text.splitlines()) <= 2 and len(text) < 600, text
        for word in words:
            assert word in text, text
        return text

    return refused


@pytest.fixture(scope="session")
def edit() -> Callable[..., None]:
    """Change a capture's transforms.json."""

    def edited(folder: Path, change: Callable[[dict], object]) -> None:
        file = folder / "transforms.json"
        values = json.loads(file.read_text())
        change(values)
        file.write_text(json.dumps(values))

    return edited
