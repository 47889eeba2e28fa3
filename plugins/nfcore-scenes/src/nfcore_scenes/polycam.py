"""Polycam's raw exports: a JSON file of pose and lens for each photo in keyframes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat

from nfcore import UserError
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.capture_source import CaptureSource
from nfcore_scenes.json_poses import read_json, rigid_pose
from nfcore_scenes.lenses import Lens
from nfcore_scenes.photo_finder import photo_files
from nfcore_scenes.recording import PosedPhoto, Recording, counted

#: Folders of photos and of their cameras: those that Polycam optimised come first.
_FOLDERS = (("corrected_images", "corrected_cameras"), ("images", "cameras"))
#: Rows of ARKit's world, y up, in the order that makes z up, as nerfstudio has them.
_Z_UP = (2, 0, 1)


class Camera(BaseModel):
    """One file of keyframes/cameras; other entries are ignored."""

    fx: FiniteFloat = Field(gt=0, description="Focal length in pixels, horizontal")
    fy: FiniteFloat = Field(gt=0, description="Focal length in pixels, vertical")
    cx: FiniteFloat = Field(description="Principal point in pixels from the left")
    cy: FiniteFloat = Field(description="Principal point in pixels from the top")
    width: int = Field(ge=1, description="Width in pixels")
    height: int = Field(ge=1, description="Height in pixels")
    t_00: float
    t_01: float
    t_02: float
    t_03: float
    t_10: float
    t_11: float
    t_12: float
    t_13: float
    t_20: float
    t_21: float
    t_22: float
    t_23: float

    @property
    def rows(self) -> list[list[float]]:
        """The 3x4 pose, camera to world, with z up."""
        values = np.array([[getattr(self, f"t_{row}{column}") for column in range(4)] for row in range(3)])
        rows: list[list[float]] = values[list(_Z_UP)].tolist()
        return rows


class Polycam(CaptureSource):
    """A raw export of Polycam, with the folder ``keyframes``: ARKit's poses, or those that Polycam optimised.

    The world is ARKit's in metres, turned so that z is up.
    """

    class Options(CaptureOptions):
        """Options of ``polycam``."""

        path: Path = Field(description="Folder with keyframes")

    options: Options

    def read(self) -> Recording:
        """Read the cameras of all photos."""
        keyframes = self.options.path / "keyframes"
        images, cameras = next(
            (
                (keyframes / photos, keyframes / poses)
                for photos, poses in _FOLDERS
                if (keyframes / poses).is_dir() and photo_files(keyframes / photos)
            ),
            (None, None),
        )
        if images is None or cameras is None:
            raise UserError(
                f"{keyframes} has no photos with cameras: images and cameras, or corrected_images and "
                "corrected_cameras; export the raw data in Polycam's developer mode"
            )
        files = photo_files(images)
        photos, unposed = [], []
        for file in files:
            source = cameras / f"{file.stem}.json"
            pose = None
            if source.is_file():
                camera = read_json(source, Camera)
                pose = rigid_pose(camera.rows, f"{source}: t_00 to t_23")
            if pose is None:
                unposed.append(file.name)
                continue
            lens = Lens("PINHOLE", camera.height, camera.width, (camera.fx, camera.fy, camera.cx, camera.cy))
            lens.check(str(source))
            photos.append(PosedPhoto(file.name, file, pose, lens))
        notes = (f"{counted(unposed, files)} have no pose and are left out",) if unposed else ()
        return Recording(where=cameras, photos=tuple(photos), notes=notes)
