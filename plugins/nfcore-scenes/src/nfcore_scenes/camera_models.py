"""COLMAP's camera models: their numbers in binary files, their names and the order of their parameters."""

from __future__ import annotations

from typing import NamedTuple


class CameraModel(NamedTuple):
    """One camera model.

    Args:
        number: in ``cameras.bin``.
        focal_lengths: how many of the parameters, the first, are focal lengths; the principal point is next.
        parameters: how many there are.

    """

    number: int
    focal_lengths: int
    parameters: int


#: By name, as ``colmap/sensor/models.h`` has them; panoramas, EQUIRECTANGULAR, have no focal length.
CAMERA_MODELS = {
    "SIMPLE_PINHOLE": CameraModel(0, 1, 3),
    "PINHOLE": CameraModel(1, 2, 4),
    "SIMPLE_RADIAL": CameraModel(2, 1, 4),
    "RADIAL": CameraModel(3, 1, 5),
    "OPENCV": CameraModel(4, 2, 8),
    "OPENCV_FISHEYE": CameraModel(5, 2, 8),
    "FULL_OPENCV": CameraModel(6, 2, 12),
    "FOV": CameraModel(7, 2, 5),
    "SIMPLE_RADIAL_FISHEYE": CameraModel(8, 1, 4),
    "RADIAL_FISHEYE": CameraModel(9, 1, 5),
    "THIN_PRISM_FISHEYE": CameraModel(10, 2, 12),
    "RAD_TAN_THIN_PRISM_FISHEYE": CameraModel(11, 2, 16),
    "SIMPLE_DIVISION": CameraModel(12, 1, 4),
    "DIVISION": CameraModel(13, 2, 5),
    "SIMPLE_FISHEYE": CameraModel(14, 1, 3),
    "FISHEYE": CameraModel(15, 2, 4),
    "EUCM": CameraModel(16, 2, 6),
    "EQUIRECTANGULAR": CameraModel(17, 0, 2),
}
