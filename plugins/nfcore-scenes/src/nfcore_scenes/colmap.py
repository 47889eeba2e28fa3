"""COLMAP captures: a sparse reconstruction next to its photos."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Cameras, Points, Scene, Split, UserError, Views
from nfcore.dataset import (
    NEAR_ROOM,
    Depths,
    depth_range,
    depths_of,
    forward_frame,
    hold_out,
    inner_box,
    looks_forward,
    moved_points,
    moved_poses,
    upright_frame,
)
from nfcore_scenes.bounds import forward_scene, scene_around
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.captures import Capture, PosedPhoto
from nfcore_scenes.colmap_files import Model, read_model
from nfcore_scenes.folders import image_folder
from nfcore_scenes.novel_poses import novel_cameras

#: Possible folders of the model, relative to the data set's folder.
MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", ".")


class Colmap(nfcore.RaySource):
    """Photos posed by COLMAP (Schoenberger and Frahm 2016), undistorted once and cached on disk.

    The world is rotated upright and moved so that the point the cameras look at is the origin, or recentred if all
    look the same way; its scale is the model's. Depth range and box are those of the points. Without alpha the
    scene is unbounded. Every 8th photo, by name, is a test view.
    """

    class Options(CaptureOptions):
        """Options of ``colmap``."""

        path: Path = Field(description="Folder with sparse/0 and images")
        model: Path | None = Field(
            None,
            description=f"Folder of the model, relative to path; by default one of {', '.join(MODEL_FOLDERS)}",
        )
        images: Path | None = Field(
            None, description="Folder of the photos, relative to path; by default images, images_2, ... by size"
        )

    options: Options

    def __init__(self, options: Options, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        folder = _model_folder(options)
        model = read_model(folder)
        if len(model.photos) < 3:
            raise UserError(f"{folder} has poses of {len(model.photos)} photos: at least 3 are needed")
        poses = torch.stack([photo.pose for photo in model.photos])
        depths = _depths(folder, poses, model)
        nearest = depths.near / NEAR_ROOM
        forward = options.forward_facing
        if forward is None:
            forward = looks_forward(poses, nearest)
        frame = forward_frame(poses) if forward else upright_frame(poses)
        poses, points = moved_poses(frame, poses), moved_points(frame, model.points)
        self._points = Points(points.float(), model.colours.float() / 255) if len(points) else None
        photos = self._photos(model, poses)
        self._capture = Capture(
            hold_out(photos, options.test_every, options.hold_out, str(folder)), image_size, options
        )
        where = str(folder)
        if forward:
            self._scene = forward_scene(self._capture, depths, nearest, options, where)
        else:
            self._scene = scene_around(self._capture, depths, inner_box(poses, points), options, where)

    def _photos(self, model: Model, poses: Tensor) -> list[PosedPhoto]:
        options = self.options
        folder = (
            image_folder(options.path, self.image_size)
            if options.images is None
            else options.path / options.images
        )
        absent = [photo.name for photo in model.photos if not (folder / photo.name).is_file()]
        if absent:
            raise UserError(
                f"{folder} lacks {len(absent)} of the {len(model.photos)} photos of the model, such as {absent[0]}"
            )
        return [
            PosedPhoto(photo.name, folder / photo.name, pose, photo.lens)
            for photo, pose in zip(model.photos, poses, strict=True)
        ]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.options.path.resolve().name

    @property
    def scene(self) -> Scene:
        """Depth range and box from the reconstruction's points."""
        return self._scene

    @property
    def points(self) -> Points | None:
        """The reliable points of the reconstruction, in the scene's world."""
        return self._points

    def views(self, split: Split) -> Views:
        """Return the posed photos of one split; see ``nfcore.RaySource.views``."""
        return self._capture.views(split)

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras among the training cameras; see ``nfcore.RaySource``."""
        return novel_cameras(self._capture.cameras("train"), self._scene.forward_facing, n, generator)


def _model_folder(options: Colmap.Options) -> Path:
    if not options.path.is_dir():
        raise UserError(f"there is no folder {options.path}: 'path' is the one that holds sparse/0 and images")
    if options.model is not None:
        return options.path / options.model
    for candidate in MODEL_FOLDERS:
        folder = options.path / candidate
        if any((folder / f"cameras{suffix}").is_file() for suffix in (".bin", ".txt")):
            return folder
    raise UserError(f"{options.path} has no COLMAP model: no cameras.bin or .txt in {', '.join(MODEL_FOLDERS)}")


def _depths(folder: Path, poses: Tensor, model: Model) -> Depths:
    """Return the depth range of the points that each photo sees."""
    depth = depths_of(poses, model.points[model.seen_point], model.seen_by)
    depth = depth[depth > 0].sort().values
    if len(depth) < 20:
        raise UserError(f"{folder}: its photos see only {len(depth)} points: too few for a depth range")
    return depth_range(depth)
