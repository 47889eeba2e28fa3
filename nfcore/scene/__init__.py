"""What is known of a scene: its bounds, its cameras and the paths along them."""

from nfcore.scene.bounds import Vector
from nfcore.scene.camera_paths import CameraPath, read_path, write_path
from nfcore.scene.photo_stack import AlphaStack, PhotoStack

__all__ = ["AlphaStack", "CameraPath", "PhotoStack", "Vector", "read_path", "write_path"]
