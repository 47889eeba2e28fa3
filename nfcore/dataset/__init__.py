"""Data sets: reading photos, splits, undistortion, bounds from poses and points; a summary and a plot."""

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
from nfcore.dataset.plot import save_scene_picture
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
    "save_scene_picture",
    "scaled_size",
    "upright_frame",
    "visible_depths",
]
