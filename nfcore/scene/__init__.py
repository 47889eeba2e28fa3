"""A scene's bounds, cameras, camera paths and photos."""

from nfcore.scene.bounds import Vector
from nfcore.scene.camera_paths import CameraPath, read_path, write_path
from nfcore.scene.colour_correction import ColourCorrection
from nfcore.scene.mask_stack import MaskStack
from nfcore.scene.photo_stack import AlphaStack, PhotoStack

__all__ = [
    "AlphaStack",
    "CameraPath",
    "ColourCorrection",
    "MaskStack",
    "PhotoStack",
    "Vector",
    "read_path",
    "write_path",
]
