"""The conformance kit: standard tests of the rules that every implementation of a kind must satisfy.

Three lines add all tests of its kind to a component; pytest runs them, and ``nfcore plugins check`` reports them::

    from nfcore.testing import EncodingConformance

    class TestPlucker(EncodingConformance):
        component = "plucker"  # its name or distribution/name, or its class
"""

from __future__ import annotations

from nfcore.testing.backbone import BackboneConformance
from nfcore.testing.encoding import EncodingConformance
from nfcore.testing.exporter import ExporterConformance
from nfcore.testing.loss import LossConformance
from nfcore.testing.ray_source import RaySourceConformance
from nfcore.testing.sphere import ShadedSphere
from nfcore.testing.student import tiny_student
from nfcore.testing.teacher import TeacherConformance
from nfcore.testing.upsampler import UpsamplerConformance

__all__ = [
    "BackboneConformance",
    "EncodingConformance",
    "ExporterConformance",
    "LossConformance",
    "RaySourceConformance",
    "ShadedSphere",
    "TeacherConformance",
    "UpsamplerConformance",
    "tiny_student",
]
