"""What a data set holds: its photos, what part of the world they show; as figures, as text, as a picture."""

from nfcore.dataset.framing import (
    NEAR_ROOM,
    Box,
    Depths,
    depth_range,
    depths_around,
    depths_of,
    forward_box,
    forward_frame,
    inner_box,
    looks_forward,
    moved_points,
    moved_poses,
    outer_box,
    upright_frame,
    visible_depths,
)
from nfcore.dataset.photos import (
    PHOTO_SUFFIXES,
    composited,
    load_photos,
    photo_has_alpha,
    photo_size,
    photo_sizes,
    read_pixels,
    scaled_size,
)
from nfcore.dataset.splits import hold_out
from nfcore.dataset.undistortion import resample_photo

__all__ = [
    "NEAR_ROOM",
    "PHOTO_SUFFIXES",
    "Box",
    "Depths",
    "composited",
    "depth_range",
    "depths_around",
    "depths_of",
    "forward_box",
    "forward_frame",
    "hold_out",
    "inner_box",
    "load_photos",
    "looks_forward",
    "moved_points",
    "moved_poses",
    "outer_box",
    "photo_has_alpha",
    "photo_size",
    "photo_sizes",
    "read_pixels",
    "resample_photo",
    "scaled_size",
    "upright_frame",
    "visible_depths",
]
