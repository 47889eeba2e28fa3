"""Geometry of scenes: boxes, bounded spaces, rays through them, and the regions of novel cameras."""

from nfcore.geometry.boxes import box_depths
from nfcore.geometry.domains import Domain, domain_box, domain_proportions
from nfcore.geometry.forward_region import ForwardRegion
from nfcore.geometry.harmonics import BASIS_SIZE, spherical_harmonics
from nfcore.geometry.hulls import SILHOUETTE_ALPHA, hull_box, shrunk_silhouettes, visual_hull
from nfcore.geometry.ndc import far_face_ratios, slope, to_ndc, to_near_plane
from nfcore.geometry.nearby_region import NearbyRegion
from nfcore.geometry.orbits import look_at, nearest_point_to_axes
from nfcore.geometry.paths import Paths, StraightPaths
from nfcore.geometry.rasterisation import Hits, rasterise
from nfcore.geometry.trilinear import corner_offsets, interpolate, locate
from nfcore.geometry.uprightness import upright

__all__ = [
    "BASIS_SIZE",
    "SILHOUETTE_ALPHA",
    "Domain",
    "ForwardRegion",
    "Hits",
    "NearbyRegion",
    "Paths",
    "StraightPaths",
    "box_depths",
    "corner_offsets",
    "domain_box",
    "domain_proportions",
    "far_face_ratios",
    "hull_box",
    "interpolate",
    "locate",
    "look_at",
    "nearest_point_to_axes",
    "rasterise",
    "shrunk_silhouettes",
    "slope",
    "spherical_harmonics",
    "to_ndc",
    "to_near_plane",
    "upright",
    "visual_hull",
]
