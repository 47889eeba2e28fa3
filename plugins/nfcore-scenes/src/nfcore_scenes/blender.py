"""Blender (NeRF-synthetic) data sets: transforms_{train,val,test}.json next to RGB or RGBA images."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

from pydantic import Field

from nfcore import Split, UserError
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.capture_source import CaptureSource
from nfcore_scenes.frames import Frames, MaskUse
from nfcore_scenes.json_poses import read_json
from nfcore_scenes.photo_finder import PhotoFinder
from nfcore_scenes.recording import Recording, counted
from nfcore_scenes.transforms_file import Transforms


class Blender(CaptureSource):
    """A scene in the layout of NeRF's synthetic data set (Mildenhall et al. 2020, section 6).

    ``transforms_train.json`` is required; without ``transforms_test.json``, or without its photos, every 8th
    training photo is a test view. Photos with alpha show an object, and so do those on a background of one colour;
    others show a scene with a background. NeRF's near, far and box apply where cameras are as far away as NeRF's,
    about 4 units.
    """

    class Options(CaptureOptions):
        """Options of ``blender``."""

        path: Path = Field(description="Folder with transforms_train.json and the images")
        masks: MaskUse = Field(
            "ignore",
            description="What pixels outside of the frames' masks are: ignored, or transparent if the masks cut "
            "out an object; or off, to not use masks",
        )

    options: Options

    def read(self) -> Recording:
        """Read transforms_train.json and, where they are there, transforms_val.json and transforms_test.json."""
        folder = self.options.path
        train = folder / "transforms_train.json"
        files = {split: folder / f"transforms_{split}.json" for split in get_args(Split)}
        # A broken link is an error, not an absent split.
        listed = {
            split: read_json(file, Transforms)
            for split, file in files.items()
            if split == "train" or os.path.lexists(file)
        }
        names = [frame.file_path for transforms in listed.values() for frame in transforms.frames]
        frames = Frames(PhotoFinder(folder).where_most_are(names), self.options.masks)
        splits: dict[Split, tuple[str, ...]] = dict.fromkeys(get_args(Split), ())
        notes: list[str] = []
        for split, transforms in listed.items():
            file = files[split]
            before = len(frames.missing)
            splits[split] = tuple(frames.read(file, transforms, transforms.frames))
            absent = frames.missing[before:]
            if not transforms.frames and split == "train":
                raise UserError(f"{file}: frames is empty: it must list the photos to train on")
            if absent and not splits[split]:
                if split == "train":
                    raise UserError(f"{file}: photo {folder / absent[0]} is missing, and so are the others")
                notes.append(f"all {len(absent)} photos of {file.name} are missing, such as {absent[0]}")
            elif absent:
                notes.append(f"{counted(absent, transforms.frames)} of {file.name} are missing and left out")
        frames.missing.clear()
        if not splits["test"]:
            notes.append(
                f"there are no test photos, so every {self.options.test_every}th training photo is a test view"
            )
            splits |= _held_out(splits, self.options.test_every)
        return Recording(
            where=train,
            photos=tuple(frames.photos),
            splits=splits,
            rendered=True,
            notes=(*notes, *frames.notes(train)),
        )


def _held_out(splits: dict[Split, tuple[str, ...]], every: int) -> dict[Split, tuple[str, ...]]:
    """Return splits whose test views are every n-th training photo."""
    train = splits["train"]
    return {
        "train": tuple(name for index, name in enumerate(train) if index % every),
        "val": splits["val"],
        "test": train[::every],
    }
