"""What can be exported: a student, or a fitted teacher with reference cameras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from nfcore.plugin.components import Kind
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras


class Exportable(Protocol):
    """A model of one scene that renders cameras to images: exports are made from it and compared with it.

    ``nfcore.LightField`` and ``nfcore.FittedTeacher`` implement it.
    """

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
        """Return images (n, 3, height, width) float32 in [0, 1] on the CPU."""
