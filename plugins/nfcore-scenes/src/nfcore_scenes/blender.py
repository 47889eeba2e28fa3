"""Blender (NeRF-synthetic) data sets: transforms_{train,val,test}.json next to RGB or RGBA images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

import torch
from pydantic import BaseModel, Field, FiniteFloat
from torch import Tensor

import nfcore
from nfcore import Cameras, OrbitRegion, Scene, Split, UserError, Views
from nfcore.config import parse
from nfcore.dataset import load_photos, photo_size, scaled_size
from nfcore.geometry import hull_box
from nfcore_scenes.folders import inside, photo_file
from nfcore_scenes.json_poses import read_json, rigid_pose

Vector = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
Unit = Annotated[float, Field(ge=0, le=1)]

#: A box that contains all scenes of NeRF-synthetic, as in nerfacc and TensoRF.
BOX = ((-1.5, -1.5, -1.5), (1.5, 1.5, 1.5))


class Frame(BaseModel):
    """One posed photo of a transforms file; other entries are ignored."""

    file_path: str = Field(min_length=1, description="Image relative to the data set's folder, extension optional")
    transform_matrix: list[list[FiniteFloat]] = Field(description="4x4 or 3x4, camera to world, OpenGL axes")


class Transforms(BaseModel):
    """One transforms_SPLIT.json; other entries are ignored."""

    camera_angle_x: float = Field(gt=0, lt=math.pi, description="Horizontal field of view, radians")
    frames: list[Frame] = Field(min_length=1, description="The split's photos, in order")


@dataclass(frozen=True)
class SplitFiles:
    """The photos of one split before they are read.

    Args:
        angle: horizontal field of view in radians.
        photos: n image paths relative to the data set's folder, extension optional.
        poses: (n, 3, 4) float32, camera to world, OpenGL axes.

    """

    angle: float
    photos: tuple[str, ...]
    poses: Tensor

    def __getitem__(self, indices: slice | list[int]) -> SplitFiles:
        chosen = range(len(self.photos))[indices] if isinstance(indices, slice) else indices
        return SplitFiles(self.angle, tuple(self.photos[i] for i in chosen), self.poses[list(chosen)])


class Blender(nfcore.RaySource):
    """A scene in the layout of NeRF's synthetic data set (Mildenhall et al. 2020, section 6).

    The JSON files are checked at once, the images when their split is first used; then they are kept in memory.
    ``transforms_train.json`` and ``transforms_test.json`` are required, ``transforms_val.json`` is optional.
    """

    class Options(nfcore.Options):
        """Options of ``blender``."""

        path: Path = Field(description="Folder with transforms_train.json, transforms_test.json and the images")
        background: tuple[Unit, Unit, Unit] = Field(
            (1.0, 1.0, 1.0), description="RGB in [0, 1] that images with alpha are composited on"
        )
        near: float = Field(2.0, gt=0, description="Depth of the nearest surface, scene units")
        far: float = Field(6.0, gt=0, description="Depth of the farthest surface, scene units")
        box: tuple[Vector, Vector] | None = Field(
            None,
            description="Lower and upper corner of a box around the scene, scene units; by default the box of the "
            "silhouettes' visual hull if photos have alpha, else 1.5 to all sides",
        )
        hold_out: int = Field(
            0,
            ge=0,
            description="Without transforms_val.json: every n-th training photo, from the first, becomes a "
            "validation photo; 0 for none",
        )

    options: Options

    def __init__(self, options: Options, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        self._scene: Scene | None = None
        self._bounds = parse(Scene, self._given_bounds(), "ray_source 'blender'")
        self._files = _splits(options.path, options.hold_out)
        self._full_size: tuple[int, int] | None = None
        self._views: dict[Split, Views] = {}

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.options.path.resolve().name

    @property
    def scene(self) -> Scene:
        """Depth range and background from the options; the box too, or from the training photos."""
        if self._scene is None:
            self._scene = self._bounds
            train = self.views("train")
            if self.options.box is None and train.alpha is not None:
                box = hull_box(train.cameras, train.silhouettes, around=BOX)
                self._scene = self._bounds.model_copy(update={"box": box})
        return self._scene

    def _given_bounds(self) -> dict[str, object]:
        return self.options.model_dump(exclude={"path", "hold_out"}) | {"box": self.options.box or BOX}

    def views(self, split: Split) -> Views:
        """Return the posed photos of one split; see ``nfcore.RaySource.views``."""
        if split not in self._views:
            self._views[split] = self._load(self._files[split])
        return self._views[split]

    def _load(self, files: SplitFiles) -> Views:
        full_size = self._photo_size()
        cameras = self._cameras(files.poses, files.angle)
        paths = [photo_file(self.options.path, photo) for photo in files.photos]
        images, alpha = load_photos(paths, full_size, (cameras.height, cameras.width), self.options.background)
        names = tuple(path.relative_to(self.options.path).as_posix() for path in paths)
        return Views(cameras, images, alpha, names)

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras in the shell of the training cameras; see ``nfcore.RaySource``."""
        train = self._files["train"]
        region = OrbitRegion.around(self._cameras(train.poses, train.angle))
        return self._cameras(region.sample(n, generator), train.angle)

    def _cameras(self, poses: Tensor, angle: float) -> Cameras:
        full_height, full_width = self._photo_size()
        height, width = scaled_size(full_height, full_width, self.image_size)
        focal = 0.5 * full_width / math.tan(0.5 * angle)
        intrinsics = torch.tensor(
            [focal * width / full_width, focal * height / full_height, width / 2, height / 2]
        )
        return Cameras(poses, intrinsics.repeat(len(poses), 1), height, width)

    def _photo_size(self) -> tuple[int, int]:
        """Return (height, width) of the first training photo, which all photos must have."""
        if self._full_size is None:
            self._full_size = photo_size(photo_file(self.options.path, self._files["train"].photos[0]))
        return self._full_size


def _splits(folder: Path, hold_out: int) -> dict[Split, SplitFiles]:
    """Read and check the transforms files, without opening an image."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: 'path' is the one that holds transforms_train.json")
    train, test = (_read_split(folder / f"transforms_{split}.json") for split in ("train", "test"))
    val = train[:0]
    if (folder / "transforms_val.json").exists():
        val = _read_split(folder / "transforms_val.json")
    elif hold_out:
        held_out = set(range(0, len(train.photos), hold_out))
        val = train[sorted(held_out)]
        train = train[[i for i in range(len(train.photos)) if i not in held_out]]
    if len(train.photos) < 2:
        raise UserError(
            f"{folder / 'transforms_train.json'} leaves {len(train.photos)} photos to train on"
            f"{f' with hold_out {hold_out}' if hold_out else ''}: at least 2 are needed"
        )
    splits: dict[Split, SplitFiles] = {"train": train, "val": val, "test": test}
    _check_disjoint(folder, splits)
    return splits


def _check_disjoint(folder: Path, splits: dict[Split, SplitFiles]) -> None:
    """Reject a photo that is in two splits: a score on training photos means nothing."""
    seen: dict[str, Split] = {}
    for split in get_args(Split):
        for photo in splits[split].photos:
            if seen.setdefault(photo, split) != split:
                raise UserError(
                    f"{folder}: photo {photo!r} is in {seen[photo]} and in {split}: it may be in one split only"
                )


def _read_split(file: Path) -> SplitFiles:
    transforms = read_json(file, Transforms)
    photos = tuple(inside(frame.file_path, f"{file}: file_path") for frame in transforms.frames)
    poses = [
        rigid_pose(frame.transform_matrix, f"{file}: transform_matrix of {frame.file_path!r}")
        for frame in transforms.frames
    ]
    return SplitFiles(transforms.camera_angle_x, photos, torch.stack(poses).float())
