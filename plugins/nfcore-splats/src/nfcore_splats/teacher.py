"""The teacher ``splats``: 3D Gaussians from a file, or fitted to photos; it draws whole views."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Budget, Cameras, RaySource, Rendering, Reporter, Scene
from nfcore.runtime import device_of
from nfcore_splats import gsplat_renderer
from nfcore_splats.descent import Descent, Targets
from nfcore_splats.files import read_gaussians
from nfcore_splats.gaussians import TENSORS, Gaussians
from nfcore_splats.initial import initial
from nfcore_splats.rasteriser import rendering
from nfcore_splats.source import SplatScene


class Splats(nfcore.Teacher):
    """3D Gaussian splats (Kerbl et al. 2023).

    Those of a file are taken as they are: that of the scene ``splats``, or that of the option ``file``. Photos
    of other scenes are fitted, from their points if there are any: on a CPU with a fixed number of them, which
    is for small scenes. On CUDA with the package gsplat, gsplat draws, and its strategy adds Gaussians.
    """

    class Options(nfcore.Options):
        """Options of the teacher ``splats``."""

        file: Path | None = Field(
            None, description="File of Gaussians in the photos' world, used as it is; by default the scene's own"
        )
        splats: int = Field(
            20_000, ge=10, le=2_000_000, description="Number of Gaussians of a fit, at most at first"
        )
        degree: int = Field(2, ge=0, le=3, description="Degree of the harmonics of colours of a fit")

    options: Options

    def __init__(self, options: Options, scene: Scene) -> None:
        super().__init__(options, scene)
        self._take(Gaussians.of_colours(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0, 3)))

    @property
    def gaussians(self) -> Gaussians:
        """The Gaussians, on the teacher's device."""
        return Gaussians.of_tensors({name: getattr(self, name) for name in TENSORS}, bool(self.antialiased))

    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Take a file's Gaussians, or fit some to the training photos of ``source``.

        Raises:
            UserError: the file is missing or no file of Gaussians.

        """
        device = device_of(self)
        if self.options.file is not None:
            found = self._from_file(self.options.file, reporter)
        elif isinstance(source, SplatScene):
            found = source.gaussians
        else:
            found = self._fitted(source, budget, reporter)
        self._take(found)
        self.to(device)

    def render_views(self, cameras: Cameras) -> Rendering:
        """Return whole views, drawn by tiles; see ``nfcore.Teacher``."""
        gaussians, device = self.gaussians, device_of(self)
        if gsplat_renderer.usable(device):
            return gsplat_renderer.rendering(gaussians, cameras, self.scene.background)
        here = {name: tensor.cpu() for name, tensor in gaussians.tensors.items()}
        seen = rendering(Gaussians.of_tensors(here, gaussians.antialiased), cameras, self.scene.background)
        return Rendering(seen.rgb.to(device), seen.opacity.to(device), seen.depth.to(device))

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Adopt the saved number of Gaussians, then load them."""
        for name in TENSORS:
            saved = state_dict.get(name)
            if isinstance(saved, Tensor):
                self.register_buffer(name, torch.zeros(saved.shape, device=device_of(self)))
        return super().load_state_dict(state_dict, strict, assign)

    def _from_file(self, path: Path, reporter: Reporter) -> Gaussians:
        read = read_gaussians(path)
        for note in read.notes:
            reporter.note(f"{path}: {note}")
        return read.gaussians

    def _fitted(self, source: RaySource, budget: Budget, reporter: Reporter) -> Gaussians:
        generator, device = torch.Generator().manual_seed(budget.seed), device_of(self)
        begin = initial(source, self.options.splats, generator).with_degree(self.options.degree)
        views = source.views("train")
        targets = Targets(views.cameras.to("cpu"), views.images, views.alpha, views.masks)
        background, size = torch.tensor(self.scene.background), _size(self.scene)
        if gsplat_renderer.usable(device):
            return gsplat_renderer.fitted(begin, targets, background, size, budget, reporter, device)
        return Descent(begin, targets, background, size, budget.seed).run(budget, reporter)

    def _take(self, gaussians: Gaussians) -> None:
        for name, tensor in gaussians.tensors.items():
            self.register_buffer(name, tensor.clone())
        self.register_buffer("antialiased", torch.tensor(gaussians.antialiased))


def _size(scene: Scene) -> float:
    """Return half of the box's longest side, scene units."""
    low, high = (torch.tensor(corner) for corner in scene.box)
    return float((high - low).max()) / 2
