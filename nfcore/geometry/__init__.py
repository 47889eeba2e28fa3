"""Geometry of scenes: boxes, bounded spaces, and the regions of novel cameras."""

from nfcore.geometry.boxes import box_depths
from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.harmonics import BASIS_SIZE, spherical_harmonics
from nfcore.geometry.hulls import SILHOUETTE_ALPHA, hull_box, shrunk_silhouettes, visual_hull
from nfcore.geometry.ndc import far_face_ratios, slope, to_ndc, to_near_plane
from nfcore.geometry.nearby_region import NearbyRegion
from nfcore.geometry.orbits import look_at, nearest_point_to_axes, upright
from nfcore.geometry.trilinear import interpolate

__all__ = [
    "BASIS_SIZE",
    "SILHOUETTE_ALPHA",
    "ForwardRegion",
    "NearbyRegion",
    "box_depths",
    "far_face_ratios",
    "hull_box",
    "interpolate",
    "look_at",
    "nearest_point_to_axes",
    "shrunk_silhouettes",
    "slope",
    "spherical_harmonics",
    "to_ndc",
    "to_near_plane",
    "upright",
    "visual_hull",
]
