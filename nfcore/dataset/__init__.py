"""Data sets: reading photos, splits, undistortion, bounds from poses and points; a summary and a plot."""

from nfcore.dataset.conventions import misread
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
    look_inward,
    looks_forward,
    moved_points,
    moved_poses,
    outer_box,
    upright_frame,
    visible_depths,
)
from nfcore.dataset.photo_formats import PHOTO_SUFFIXES
from nfcore.dataset.photos import (
    PhotoHeader,
    load_photos,
    photo_header,
    read_photo,
    scaled_size,
    stacked,
    stacked_masks,
)
from nfcore.dataset.plot import save_scene_picture
from nfcore.dataset.splits import disjoint, hold_out
from nfcore.dataset.undistortion import resample_photo

__all__ = [
    "NEAR_ROOM",
    "PHOTO_SUFFIXES",
    "Box",
    "Depths",
    "PhotoHeader",
    "depth_range",
    "depths_around",
    "depths_of",
    "disjoint",
    "forward_box",
    "forward_frame",
    "hold_out",
    "inner_box",
    "load_photos",
    "look_inward",
    "looks_forward",
    "misread",
    "moved_points",
    "moved_poses",
    "outer_box",
    "photo_header",
    "read_photo",
    "resample_photo",
    "save_scene_picture",
    "scaled_size",
    "stacked",
    "stacked_masks",
    "upright_frame",
    "visible_depths",
]
