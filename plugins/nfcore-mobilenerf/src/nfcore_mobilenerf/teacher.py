"""The teacher ``mobilenerf``: polygons that start from the surfaces of another teacher's field."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

import nfcore
from nfcore import Budget, Cameras, RaySource, Rendering, Reporter, Scene, Teacher
from nfcore_mobilenerf.drawing import draw_polygons
from nfcore_mobilenerf.fit import fit_polygons
from nfcore_mobilenerf.mesh import Quads
from nfcore_mobilenerf.options import PolygonOptions
from nfcore_mobilenerf.polygons import FEATURES, HIDDEN, Polygons

#: Layers of the network.
_WIDTHS = (FEATURES + 3, HIDDEN, HIDDEN, 3)


class MobileNeRF(Teacher):
    """Polygons with binary opacity and features, and a small network for each pixel (Chen et al. 2022).

    The paper trains the polygons from a grid for a day on eight GPUs. Here another teacher is fitted first; its
    surfaces are the polygons, which then stay where they are, so that the texels behind each pixel of the photos
    are looked up once. What is fitted is opacities, features and the network: minutes on a CPU.

    Args:
        options: see ``PolygonOptions``.
        scene: the bounds of the scene.

    """

    Options = PolygonOptions
    options: PolygonOptions
    vertices: Tensor
    corners: Tensor
    features: Tensor
    opaque: Tensor

    def __init__(self, options: nfcore.Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self.network = torch.nn.ParameterList()
        for inputs, outputs in itertools.pairwise(_WIDTHS):
            self.network.append(torch.zeros(outputs, inputs))
            self.network.append(torch.zeros(outputs))
        self.register_buffer("vertices", torch.zeros(0, 3))
        self.register_buffer("corners", torch.zeros(0, 4, dtype=torch.int32))
        self.register_buffer("features", torch.zeros(0, FEATURES, dtype=torch.uint8))
        self.register_buffer("opaque", torch.zeros(0, dtype=torch.bool))
        self.register_buffer("texels", torch.tensor(1))

    def polygons(self) -> Polygons:
        """Return the polygons, on the CPU."""
        weights = [part.detach().cpu() for part in self.network]
        return Polygons(
            Quads(self.vertices.cpu(), self.corners.cpu()),
            int(self.get_buffer("texels")),
            self.features.cpu(),
            self.opaque.cpu(),
            tuple(zip(weights[::2], weights[1::2], strict=True)),
        )

    def take(self, polygons: Polygons) -> None:
        """Show ``polygons`` from now on."""
        device = self.vertices.device
        self.vertices, self.corners = polygons.quads.vertices.to(device), polygons.quads.corners.to(device)
        self.features, self.opaque = polygons.features.to(device), polygons.opaque.to(device)
        self.get_buffer("texels").fill_(polygons.texels)
        flat = [part for layer in polygons.layers for part in layer]
        for own, part in zip(self.network, flat, strict=True):
            own.data.copy_(part)

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit the other teacher, take its surfaces, and fit their texels to the training views.

        Raises:
            UserError: the other teacher is no volume or has no surface, or the texels don't fit into a texture.
            PluginError: the other teacher is not installed.

        """
        self.take(fit_polygons(self.options, self.scene, source, budget, reporter, self.vertices.device))

    @torch.no_grad()
    def render_views(self, cameras: Cameras) -> Rendering:
        """Return colour, opacity and depth of whole views, with 2 x 2 samples a pixel.

        Raises:
            UserError: kernels can't run here.

        """
        polygons, device = self.polygons(), cameras.poses.device
        views = [draw_polygons(polygons, camera, self.scene.background) for camera in cameras.to("cpu")]
        size = cameras.height, cameras.width

        def stacked(parts: list[Tensor], *rest: int) -> Tensor:
            return (torch.stack(parts) if parts else torch.zeros(0, *size, *rest)).to(device)

        return Rendering(
            stacked([view.rgb for view in views], 3),
            stacked([view.opacity for view in views]),
            stacked([view.depth for view in views]),
        )

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load what ``state_dict`` gave; the number of polygons is taken from it first.

        Raises:
            ValueError: the parts don't fit together.

        """
        for name in ("vertices", "corners", "features", "opaque"):
            if name in state_dict:
                own = self.get_buffer(name)
                setattr(self, name, own.new_zeros(len(state_dict[name]), *own.shape[1:]))
        result = super().load_state_dict(state_dict, strict, assign)
        _check(self.polygons())
        return result


def _check(polygons: Polygons) -> None:
    corners, texels = polygons.quads.corners, len(polygons.quads) * polygons.texels**2
    if len(corners) and not 0 <= int(corners.min()) <= int(corners.max()) < len(polygons.quads.vertices):
        raise ValueError("a polygon has a corner that is no vertex")
    if not polygons.quads.vertices.isfinite().all():
        raise ValueError("a vertex is not finite")
    if len(polygons.features) != texels or len(polygons.opaque) != texels:
        raise ValueError(f"{len(polygons.quads)} polygons have {len(polygons.features)} texels, not {texels}")
