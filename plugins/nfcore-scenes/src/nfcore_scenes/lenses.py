"""A photo's lens: COLMAP's camera models, and the pinhole camera that replaces a lens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nfcore import UserError
from nfcore_scenes.camera_models import CAMERA_MODELS
from nfcore_scenes.colmap_library import pycolmap_for

if TYPE_CHECKING:
    import pycolmap

#: Photos are undistorted to pinholes, which can't see sideways: beyond this slope (75 degrees) they are cropped.
_STEEPEST = 3.7
_BORDER_POINTS = 65
#: Distance from the photo, in photo sides, beyond which a looked-up pixel shows that the model is not valid there.
_FURTHEST = 10
#: Points along each side at which undoing a distortion is tested, and the tolerance, in photo sides.
_GRID_POINTS, _PIXEL_SHARE = 17, 0.002
#: No real lens shows a part of its photo at this many times the scale of the middle.
_MOST_ZOOM = 3.0


@dataclass(frozen=True)
class Lens:
    """The mapping from directions to pixels of a photo.

    Args:
        model: COLMAP's name of the camera model, such as ``PINHOLE`` or ``OPENCV_FISHEYE``.
        height: photo height in pixels.
        width: photo width in pixels.
        params: the model's parameters in COLMAP's order, in pixels and radians; pixel centres at +0.5.

    """

    model: str
    height: int
    width: int
    params: tuple[float, ...]

    @property
    def camera(self) -> pycolmap.Camera:
        """The lens as pycolmap's camera.

        Raises:
            UserError: pycolmap is not installed.

        """
        library = pycolmap_for(f"a photo that was taken with a {self.model} lens")
        camera: pycolmap.Camera = library.Camera(
            model=self.model, width=self.width, height=self.height, params=list(self.params)
        )
        return camera

    @property
    def focus(self) -> tuple[float, float, float, float]:
        """Focal lengths and principal point: fx, fy, cx, cy in pixels."""
        count = CAMERA_MODELS[self.model].focal_lengths
        return self.params[0], self.params[count - 1], self.params[count], self.params[count + 1]

    @property
    def distortion(self) -> tuple[float, ...]:
        """The parameters besides focal lengths and principal point."""
        return self.params[CAMERA_MODELS[self.model].focal_lengths + 2 :]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    @property
    def distorts(self) -> bool:
        """Whether it is not a pinhole."""
        return self.model not in ("PINHOLE", "SIMPLE_PINHOLE")

    def check(self, where: str) -> None:
        """Check the lens.

        Raises:
            UserError: an unknown or unsupported model, or invalid parameters; starts with ``where``.

        """
        known = set(CAMERA_MODELS) - {"EQUIRECTANGULAR"}
        if self.model not in known:
            raise UserError(
                f"{where}: camera model {self.model!r} is not supported; there is {', '.join(sorted(known))}"
            )
        fitting = len(self.params) == CAMERA_MODELS[self.model].parameters
        if min(self.size) < 1 or not fitting or not np.isfinite(self.params).all():
            raise UserError(
                f"{where}: a {self.model} camera of {self.width}x{self.height} pixels can't have the parameters "
                f"{list(self.params)}"
            )
        if (focal := min(self.focus[:2])) <= 0:
            raise UserError(f"{where}: the focal length {focal} must be more than 0")

    def scaled(self, height: int, width: int) -> Lens:
        """Return the lens of the same photo at another size."""
        x, y = width / self.width, height / self.height
        fx, fy, cx, cy = self.focus
        focal = (fx * (x + y) / 2,) if CAMERA_MODELS[self.model].focal_lengths == 1 else (fx * x, fy * y)
        return replace(self, height=height, width=width, params=(*focal, cx * x, cy * y, *self.distortion))

    def pinhole(self) -> tuple[float, float, float, float]:
        """Return fx, fy, cx, cy in pixels of a pinhole of the same size within this lens's field of view.

        For a pinhole these are its own; for others those of the largest window without blank pixels, with this
        lens's ratio of the two focal lengths.

        Raises:
            UserError: there is none, because the distortion can't be undone everywhere in the photo.

        """
        fx, fy, cx, cy = self.focus
        if not self.distorts:
            return fx, fy, cx, cy
        self._check_invertible()
        left, right, top, bottom = self._window()
        focal = max(self.width / (right - left), self.height / (bottom - top) * fx / fy)
        ratio = fy / fx
        # The excess of one side is cropped evenly.
        first_x = (left + right - self.width / focal) / 2
        first_y = (top + bottom - self.height / (focal * ratio)) / 2
        return focal, focal * ratio, -first_x * focal, -first_y * focal * ratio

    def _check_invertible(self) -> None:
        """Check that pixels come back after undistortion and stay in order, which a failed calibration's don't."""
        x, y = (np.linspace(0, side, _GRID_POINTS) for side in (self.width, self.height))
        pixels = np.stack(np.meshgrid(x, y), -1)
        rays = np.asarray(self.camera.cam_ray_from_img(pixels.reshape(-1, 2)), np.float64).reshape(
            *pixels.shape[:2], 3
        )
        ahead = rays[..., 2] > np.linalg.norm(rays[..., :2], axis=-1) / _STEEPEST
        again = np.asarray(self.camera.img_from_cam(rays[ahead]), np.float64)
        lost = ~(np.abs(again - pixels[ahead]).max(1, initial=0) <= _PIXEL_SHARE * max(self.size))
        slopes = np.where(ahead[..., None], rays[..., :2] / np.maximum(rays[..., 2:], 1e-12), np.nan)
        focal = np.array(self.focus[:2])
        across = np.diff(pixels[..., 0], axis=1) / focal[0] / np.diff(slopes[..., 0], axis=1)
        down = np.diff(pixels[..., 1], axis=0) / focal[1] / np.diff(slopes[..., 1], axis=0)
        zooms = np.concatenate([across.ravel(), down.ravel()])
        zooms = zooms[np.isfinite(zooms)]
        if lost.any() or not ((zooms > 0) & (zooms < _MOST_ZOOM)).all():
            raise self._not_undone("everywhere in the photo, as after a failed calibration")

    def _window(self) -> tuple[float, float, float, float]:
        """Return the slopes x / depth and y / depth, right and down, of a window within the photo's borders."""
        x, y = np.linspace(0, self.width, _BORDER_POINTS), np.linspace(0, self.height, _BORDER_POINTS)
        left = self._slopes(np.zeros_like(y), y)[:, 0].max()
        right = self._slopes(np.full_like(y, self.width), y)[:, 0].min()
        top = self._slopes(x, np.zeros_like(x))[:, 1].max()
        bottom = self._slopes(x, np.full_like(x, self.height))[:, 1].min()
        if not (left < right and top < bottom):
            raise self._not_undone("at the photo's border")
        return left, right, top, bottom

    def _not_undone(self, where: str) -> UserError:
        return UserError(
            f"the distortion of a {self.model} camera of {self.width}x{self.height} pixels with parameters "
            f"{[round(value, 6) for value in self.params]} can't be undone {where}"
        )

    def _slopes(self, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if not self.distorts:
            fx, fy, cx, cy = self.focus
            return np.stack([(x - cx) / fx, (y - cy) / fy], 1)
        # pycolmap's types allow None, which it returns for a single point without a ray.
        rays = np.asarray(self.camera.cam_ray_from_img(np.stack([x, y], 1)), np.float64)
        # A border beyond the steepest slope, even behind the camera, is clamped to it.
        depth = np.maximum(rays[:, 2:], np.linalg.norm(rays[:, :2], axis=1, keepdims=True) / _STEEPEST)
        slopes: npt.NDArray[np.float64] = rays[:, :2] / np.maximum(depth, 1e-12)
        return slopes

    def slopes(self) -> npt.NDArray[np.float64]:
        """Return x / depth and y / depth, right and down, of each pixel centre's ray, (height, width, 2)."""
        x, y = np.meshgrid(np.arange(self.width) + 0.5, np.arange(self.height) + 0.5)
        return self._slopes(x.ravel(), y.ravel()).reshape(self.height, self.width, 2)

    def projected(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the pixels (n, 2) of points (n, 3) in the camera's axes: x right, y down, z ahead."""
        if self.distorts:
            return np.asarray(self.camera.img_from_cam(points), np.float64)
        fx, fy, cx, cy = self.focus
        ahead = np.where(points[:, 2:] > 0, points[:, 2:], np.nan)
        places: npt.NDArray[np.float64] = points[:, :2] / ahead * (fx, fy) + (cx, cy)
        return places

    def source_pixels(
        self, pinhole: tuple[float, float, float, float], height: int, width: int
    ) -> npt.NDArray[np.float32]:
        """Return the positions x, y in this lens's photo, in pixels, of a pinhole's pixels, (height, width, 2).

        Raises:
            UserError: the lens's model maps some of them far outside the photo.

        """
        fx, fy, cx, cy = pinhole
        x, y = np.meshgrid((np.arange(width) + 0.5 - cx) / fx, (np.arange(height) + 0.5 - cy) / fy)
        rays = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3)
        places = self.projected(rays).reshape(height, width, 2)
        # Written so that NaN is rejected too.
        if not (np.abs(places) <= _FURTHEST * max(self.size)).all():
            raise self._not_undone("in the photo's middle")
        return places.astype(np.float32)
