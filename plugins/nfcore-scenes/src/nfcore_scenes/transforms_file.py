"""transforms.json of nerfstudio and Instant-NGP: the entries that are read, and each frame's lens."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, FiniteFloat

from nfcore import UserError
from nfcore.dataset import Box
from nfcore_scenes.capture_options import Vector
from nfcore_scenes.lenses import Lens

Positive = Annotated[FiniteFloat, Field(gt=0)]
Angle = Annotated[FiniteFloat, Field(gt=0, lt=math.pi)]
Degrees = Annotated[FiniteFloat, Field(gt=0, lt=180)]
#: A file's path; some programs write an empty one where there is none.
Place = Annotated[str | None, BeforeValidator(lambda value: None if value == "" else value)]

#: Names of lenses whose distortion is a polynomial in the radius, and in the angle, all read as OPENCV_FISHEYE.
_PERSPECTIVE = ("PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "PERSPECTIVE")
_FISHEYES = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
#: Entries of Instant-NGP that say that a lens is none of these.
_UNREAD = ("equirectangular", "latlong", "orthographic", "ftheta_p0")


class Optics(BaseModel):
    """A lens, complete or in part: a frame's values take precedence over the file's. Other entries are ignored."""

    camera_model: str | None = Field(None, description="PINHOLE, OPENCV, OPENCV_FISHEYE or another of COLMAP's")
    is_fisheye: bool | None = Field(None, description="Instant-NGP's flag for OPENCV_FISHEYE")
    equirectangular: bool | None = Field(None, description="Instant-NGP's flag for panoramas: not supported")
    latlong: bool | None = Field(None, description="Instant-NGP's flag for panoramas: not supported")
    orthographic: bool | None = Field(None, description="Instant-NGP's flag for parallel rays: not supported")
    ftheta_p0: FiniteFloat | None = Field(None, description="Instant-NGP's F-theta lens: not supported")
    w: int | None = Field(None, ge=1, description="Width in pixels")
    h: int | None = Field(None, ge=1, description="Height in pixels")
    fl_x: Positive | None = Field(None, description="Focal length in pixels, horizontal")
    fl_y: Positive | None = Field(None, description="Focal length in pixels, vertical; fl_x if left out")
    camera_angle_x: Angle | None = Field(None, description="Horizontal field of view, radians, if fl_x is absent")
    camera_angle_y: Angle | None = Field(None, description="Vertical field of view, radians, if fl_y is absent")
    cx: FiniteFloat | None = Field(
        None, description="Principal point in pixels from the left; by default the middle"
    )
    cy: FiniteFloat | None = Field(
        None, description="Principal point in pixels from the top; by default the middle"
    )
    k1: FiniteFloat | None = Field(None, description="Radial distortion")
    k2: FiniteFloat | None = Field(None, description="Radial distortion")
    k3: FiniteFloat | None = Field(None, description="Radial distortion")
    k4: FiniteFloat | None = Field(None, description="Radial distortion, of OPENCV_FISHEYE and FULL_OPENCV")
    k5: FiniteFloat | None = Field(None, description="Radial distortion, of FULL_OPENCV")
    k6: FiniteFloat | None = Field(None, description="Radial distortion, of FULL_OPENCV")
    x_fov: Degrees | None = Field(None, description="Instant-NGP: camera_angle_x in degrees")
    y_fov: Degrees | None = Field(None, description="Instant-NGP: camera_angle_y in degrees")
    p1: FiniteFloat | None = Field(None, description="Tangential distortion")
    p2: FiniteFloat | None = Field(None, description="Tangential distortion")


class Frame(Optics):
    """One posed photo."""

    file_path: str = Field(
        min_length=1, description="Photo, relative to the data set's folder, extension optional"
    )
    transform_matrix: list[list[float]] = Field(description="4x4 or 3x4, camera to world, OpenGL axes")
    mask_path: Place = Field(None, description="Grey image, black where the photo is ignored")
    time: FiniteFloat | None = Field(None, description="D-NeRF: when the photo was taken, in the file's unit")


class Transforms(Optics):
    """The content of transforms.json."""

    frames: list[Frame] = Field(description="The photos")
    ply_file_path: Place = Field(None, description="Points of the scene, in the frame of the poses")
    train_filenames: list[str] | None = Field(None, description="file_path of the training photos")
    val_filenames: list[str] | None = Field(None, description="file_path of the validation photos")
    test_filenames: list[str] | None = Field(None, description="file_path of the test photos")
    aabb_scale: Positive | None = Field(None, description="Instant-NGP: side of the scene's box in unit cubes")
    scale: Positive | None = Field(
        None, description="Instant-NGP: from the poses' units to unit cubes; .33 if left out"
    )
    offset: Vector | FiniteFloat | None = Field(
        None, description="Instant-NGP: the poses' origin in the unit cube; .5 along each axis if left out"
    )

    def cube(self, side: float) -> Box:
        """Return the cube of ``side`` unit cubes in the units of the poses (Instant-NGP, nerf_matrix_to_ngp)."""
        scale, offset = self.scale or 0.33, 0.5 if self.offset is None else self.offset
        x, y, z = ((0.5 - value) / scale for value in (offset if isinstance(offset, tuple) else 3 * (offset,)))
        half = 0.5 * side / scale
        return (x - half, y - half, z - half), (x + half, y + half, z + half)


def lens_of(transforms: Transforms, frame: Frame, photo_size: tuple[int, int], where: str) -> Lens:
    """Return the lens of one frame.

    Args:
        transforms: the file.
        frame: one of its frames.
        photo_size: (height, width) of the photo, for missing values.
        where: the start of errors.

    Raises:
        UserError: no focal length, or a model or distortion that is not supported.

    """
    said = _stated(transforms) | _stated(frame)
    model, distortion = _distortion(said, where)
    height, width = said.get("h", photo_size[0]), said.get("w", photo_size[1])
    fx = said.get("fl_x") or _focal(width, said.get("camera_angle_x") or _radians(said.get("x_fov")))
    fy = said.get("fl_y") or _focal(height, said.get("camera_angle_y") or _radians(said.get("y_fov")))
    fx, fy = fx or fy, fy or fx
    if fx is None or fy is None:
        raise UserError(f"{where} has no focal length: fl_x, camera_angle_x or x_fov is missing")
    focus = (fx, fy, said.get("cx", width / 2), said.get("cy", height / 2))
    lens = Lens(model, height, width, (*focus, *distortion))
    lens.check(where)
    return lens


def _stated(optics: Optics) -> dict[str, Any]:
    return optics.model_dump(include=set(Optics.model_fields), exclude_none=True)


def _focal(side: int, angle: float | None) -> float | None:
    return None if angle is None else 0.5 * side / math.tan(0.5 * angle)


def _radians(degrees: float | None) -> float | None:
    return None if degrees is None else math.radians(degrees)


def _distortion(said: dict[str, Any], where: str) -> tuple[str, tuple[float, ...]]:
    """Return COLMAP's model with the coefficients, and its parameters after fx, fy, cx, cy.

    As nerfstudio reads them: all perspective models are polynomials in the radius with k1, k2, k3 and p1, p2.
    """
    k1, k2, k3, k4, p1, p2 = (said.get(name, 0.0) for name in ("k1", "k2", "k3", "k4", "p1", "p2"))
    model = said.get("camera_model", "OPENCV").upper()
    if unread := [flag for flag in _UNREAD if said.get(flag, False) is not False]:
        raise UserError(
            f"{where}: {unread[0]} is a lens that is not supported; export the photos as perspective ones"
        )
    if model in _FISHEYES or said.get("is_fisheye"):
        if p1 or p2:
            raise UserError(f"{where}: a fisheye lens has no tangential distortion, p1 = {p1} and p2 = {p2}")
        return "OPENCV_FISHEYE", (k1, k2, k3, k4)
    if model == "FULL_OPENCV":
        return model, (k1, k2, p1, p2, k3, k4, said.get("k5", 0.0), said.get("k6", 0.0))
    if model not in _PERSPECTIVE:
        raise UserError(
            f"{where}: camera_model {said['camera_model']!r} is not supported; there is "
            f"{', '.join((*_PERSPECTIVE, 'FULL_OPENCV', *_FISHEYES))}"
        )
    if k4:
        raise UserError(f"{where}: k4 = {k4} is supported for FULL_OPENCV and OPENCV_FISHEYE only")
    if k3:
        return "FULL_OPENCV", (k1, k2, p1, p2, k3, 0.0, 0.0, 0.0)
    if k1 or k2 or p1 or p2:
        return "OPENCV", (k1, k2, p1, p2)
    return "PINHOLE", ()
