"""What is exported, seen from outside: a student, or a fitted teacher with cameras to look at it through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor, nn

from nfcore.plugin.components import Kind
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras


class Exportable(Protocol):
    """A model of one scene that turns cameras into images: what exports are made from and compared with.

    ``nfcore.LightField`` and ``nfcore.FittedTeacher`` are the two that there are.
    """

    @property
    def scene(self) -> Scene:
        """The bounds of the scene."""

    @property
    def cameras(self) -> Cameras:
        """Reference cameras: their size is that of the exported images, and exports are compared at them."""

    @property
    def scale(self) -> int:
        """Pixels per ray along each side."""

    @property
    def parts(self) -> Mapping[Kind, nn.Module]:
        """The components that it is made of, by kind."""

    def render(self, cameras: Cameras) -> Tensor:
        """Return images (n, 3, height, width) float32 in [0, 1] on the CPU."""
