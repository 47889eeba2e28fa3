"""What shows a scene: a student, or a fitted teacher with reference cameras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from torch import Tensor, nn

from nfcore.plugin.components import Kind
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras

#: The two kinds of models: what an exporter takes, what a run shows.
Takes = Literal["student", "teacher"]


class SceneModel(Protocol):
    """A model of one scene that renders cameras to images.

    All that comes after training takes either kind: evaluation, pictures and videos, exports and their comparison
    with torch, benchmarks. ``nfcore.LightField`` and ``nfcore.FittedTeacher`` implement it.
    """

    @property
    def kind(self) -> Takes:
        """Whether it is a student or a teacher."""

    @property
    def scene(self) -> Scene:
        """The bounds of the scene."""

    @property
    def cameras(self) -> Cameras:
        """Reference cameras: exports have their image size and are compared at their poses."""

    @property
    def scale(self) -> int:
        """Pixels per ray along each side."""

    @property
    def parts(self) -> Mapping[Kind, nn.Module]:
        """Its components, by kind."""

    def render(self, cameras: Cameras) -> Tensor:
        """Return images (n, 3, height, width) float32 in [0, 1] on the CPU, of any size that ``scale`` divides."""
