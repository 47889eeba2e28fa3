"""transforms.json captures: nerfstudio's layout and Instant-NGP's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Cameras, Scene, Split, UserError, Views
from nfcore.dataset import (
    NEAR_ROOM,
    Box,
    Depths,
    depth_range,
    depths_around,
    forward_frame,
    hold_out,
    inner_box,
    looks_forward,
    moved_poses,
    photo_sizes,
    visible_depths,
)
from nfcore_scenes.bounds import forward_scene, scene_around
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.captures import Capture, PosedPhoto
from nfcore_scenes.folders import inside, photo_file
from nfcore_scenes.json_poses import read_json, rigid_pose
from nfcore_scenes.novel_poses import novel_cameras
from nfcore_scenes.points import read_points
from nfcore_scenes.transforms_file import Frame, Transforms, lens_of

#: Far bound, as a multiple of the box's distance, without points and aabb_scale.
_UNKNOWN_FAR = 10.0


class TransformsJson(nfcore.RaySource):
    """A scene with poses and lenses in transforms.json, as nerfstudio or Instant-NGP (colmap2nerf.py) writes it.

    The world is that of the poses, recentred if all cameras look the same way. The box and the depth range come
    from the points of ``ply_file_path``, else from ``aabb_scale`` with ``scale`` and ``offset``, else from the
    cameras. Masks make photos transparent. ``applied_transform`` is already part of the poses, so it is not
    inverted. The split is the file's, or every 8th photo by name is a test view.
    """

    class Options(CaptureOptions):
        """Options of ``transforms``."""

        path: Path = Field(description="Folder with transforms.json and the photos")
        masks: bool = Field(True, description="Whether pixels outside the frames' masks become transparent")

    options: Options

    def __init__(self, options: Options, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        if not options.path.is_dir():
            raise UserError(f"there is no folder {options.path}: 'path' is the one that holds transforms.json")
        self._file = options.path / "transforms.json"
        transforms = read_json(self._file, Transforms)
        photos = [self._photo(transforms, frame) for frame in sorted(transforms.frames, key=lambda f: f.file_path)]
        poses = torch.stack([photo.pose for photo in photos])
        points = None
        if transforms.ply_file_path is not None:
            points = read_points(options.path / inside(transforms.ply_file_path, f"{self._file}: ply_file_path"))
        everything = Capture({"train": tuple(photos), "val": (), "test": ()}, image_size, options)
        box, depths = _bounds(transforms, everything.cameras("train"), points)
        nearest = depths.near / NEAR_ROOM
        forward = options.forward_facing
        if forward is None:
            forward = looks_forward(poses, nearest)
        if forward:
            poses = moved_poses(forward_frame(poses), poses)
            photos = [replace(photo, pose=pose) for photo, pose in zip(photos, poses, strict=True)]
        self._capture = Capture(self._split(transforms, photos), image_size, options)
        if forward:
            self._scene = forward_scene(self._capture, depths, nearest, options, str(self._file))
        else:
            outer = _cube(transforms, transforms.aabb_scale) if transforms.aabb_scale else None
            self._scene = scene_around(self._capture, depths, box, options, str(self._file), outer)

    def _photo(self, transforms: Transforms, frame: Frame) -> PosedPhoto:
        where = f"{self._file}: frame {frame.file_path!r}"
        name = inside(frame.file_path, f"{self._file}: file_path")
        file = photo_file(self.options.path, name)
        mask = None
        if frame.mask_path is not None and self.options.masks:
            mask = photo_file(self.options.path, inside(frame.mask_path, f"{self._file}: mask_path"))
        pose = rigid_pose(frame.transform_matrix, f"{self._file}: transform_matrix of {frame.file_path!r}")
        return PosedPhoto(name, file, pose, lens_of(transforms, frame, photo_sizes(file)[0], where), mask)

    def _split(self, transforms: Transforms, photos: list[PosedPhoto]) -> dict[Split, tuple[PosedPhoto, ...]]:
        """Return the file's split, or every n-th photo as a test view."""
        if transforms.train_filenames is None:
            return hold_out(photos, self.options.test_every, self.options.hold_out, str(self._file))
        by_name = {photo.name: photo for photo in photos}
        chosen = {
            split: self._named(by_name, names or (), split)
            for split, names in (
                ("train", transforms.train_filenames),
                ("val", transforms.val_filenames),
                ("test", transforms.test_filenames),
            )
        }
        if not chosen["test"]:  # nerfstudio tests on its validation views
            chosen = chosen | {"test": chosen["val"], "val": ()}
        if len(chosen["train"]) < 2 or not chosen["test"]:
            raise UserError(
                f"{self._file}: train_filenames and test_filenames name {len(chosen['train'])} and "
                f"{len(chosen['test'])} photos: at least 2 and 1 are needed"
            )
        for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
            both = {photo.name for photo in chosen[one]} & {photo.name for photo in chosen[other]}
            if both:
                raise UserError(
                    f"{self._file}: photo {min(both)!r} is in {one} and in {other}: it may be in one split only"
                )
        return {"train": chosen["train"], "val": chosen["val"], "test": chosen["test"]}

    def _named(self, photos: dict[str, PosedPhoto], names: Iterable[str], split: str) -> tuple[PosedPhoto, ...]:
        found = [inside(name, f"{self._file}: {split}_filenames") for name in names]
        unknown = [name for name in found if name not in photos]
        if unknown:
            raise UserError(f"{self._file}: {split}_filenames has {unknown[0]!r}, which no frame has as file_path")
        return tuple(photos[name] for name in dict.fromkeys(found))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.options.path.resolve().name

    @property
    def scene(self) -> Scene:
        """Depth range and box from points, aabb_scale or cameras."""
        return self._scene

    def views(self, split: Split) -> Views:
        """Return the posed photos of one split; see ``nfcore.RaySource.views``."""
        return self._capture.views(split)

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras from among the training cameras; see ``nfcore.RaySource``."""
        return novel_cameras(self._capture.cameras("train"), self._scene.forward_facing, n, generator)


def _bounds(transforms: Transforms, cameras: Cameras, points: Tensor | None) -> tuple[Box, Depths]:
    """Return a box around what the cameras look at and the depth range, from the best available data."""
    if points is not None:
        depth = visible_depths(cameras, points)
        if len(depth) >= 20:
            return inner_box(cameras.poses, points.float()), depth_range(depth)
    box = _cube(transforms, 1.0) if transforms.aabb_scale else inner_box(cameras.poses, None)
    seen = depths_around(cameras.poses, box)
    if transforms.aabb_scale:
        far = max(seen.far, depths_around(cameras.poses, _cube(transforms, transforms.aabb_scale)).far)
    else:
        far = _UNKNOWN_FAR * seen.far
    return box, Depths(seen.near, far)


def _cube(transforms: Transforms, side: float) -> Box:
    """Return the cube of ``side`` unit cubes in the units of the poses (Instant-NGP, nerf_matrix_to_ngp)."""
    x, y, z = ((0.5 - offset) / transforms.scale for offset in transforms.offset)
    half = 0.5 * side / transforms.scale
    return (x - half, y - half, z - half), (x + half, y + half, z + half)
