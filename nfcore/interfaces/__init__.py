"""The seven interfaces that components implement: one file per kind, each its whole contract."""

from nfcore.interfaces.backbone import Backbone
from nfcore.interfaces.baked import BakedField
from nfcore.interfaces.encoding import RayEncoding, Target
from nfcore.interfaces.exported import Exported, ExportedFile, Port
from nfcore.interfaces.exporter import Exporter, Runner, Tolerance, VerificationUnavailable
from nfcore.interfaces.loss import Loss
from nfcore.interfaces.ray_source import Points, RaySource, Split, ViewMetadata, Views
from nfcore.interfaces.scene_model import SceneModel
from nfcore.interfaces.teacher import Field, Rendering, Teacher
from nfcore.interfaces.upsampler import Upsampler

__all__ = [
    "Backbone",
    "BakedField",
    "Exported",
    "ExportedFile",
    "Exporter",
    "Field",
    "Loss",
    "Points",
    "Port",
    "RayEncoding",
    "RaySource",
    "Rendering",
    "Runner",
    "SceneModel",
    "Split",
    "Target",
    "Teacher",
    "Tolerance",
    "Upsampler",
    "VerificationUnavailable",
    "ViewMetadata",
    "Views",
]
