"""Rasterisation of Gaussians on a CPU, and its gradients: by fused kernels, or by torch where they can't run."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nfcore import Cameras, Rendering
from nfcore.kernels import Unavailable, in_parts, load, thread_count
from nfcore_splats import reference
from nfcore_splats.gaussians import Gaussians

_MODULE = "nfcore_splats.kernels"
Array = NDArray[Any]


@dataclass(frozen=True)
class Drawn:
    """One rendered view, and what its gradients are computed from.

    Args:
        image: (h, w, 3) float32, on the background; may exceed 1.
        opacity: (h, w) float32 in [0, 1].
        depth: (h, w) float32 along the optical axis; 0 where nothing is.

    """

    image: Tensor
    opacity: Tensor
    depth: Tensor
    _backward: Any = field(repr=False)

    def backward(self, to_image: Tensor, to_opacity: Tensor) -> dict[str, Tensor]:
        """Return the gradients of a loss by the Gaussians' tensors, from those by image and opacity."""
        gradients: dict[str, Tensor] = self._backward(to_image, to_opacity)
        return gradients


def prepare() -> None:
    """Compile the kernels now instead of at the first view, unless they are compiled already."""
    load(_MODULE)


def draw(gaussians: Gaussians, camera: Cameras, background: Tensor, gradients: bool = False) -> Drawn:
    """Return what one camera sees of Gaussians.

    Tiles of 16 x 16 pixels, ellipses by EWA splatting with a low-pass filter of 0.3 pixels squared, alpha
    compositing front to back until the transmittance is below 1e-4 (Kerbl et al. 2023).

    Args:
        gaussians: on the CPU.
        camera: one, on the CPU.
        background: (3,) RGB.
        gradients: whether ``backward`` will be called.

    >>> ball = Gaussians.of_colours(torch.zeros(1, 3), torch.full((1, 3), 0.1), torch.tensor([[1.0, 0.5, 0.0]]))
    >>> pose = torch.tensor([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4]]])
    >>> camera = Cameras(pose, torch.tensor([[40.0, 40.0, 4.5, 4.5]]), height=9, width=9)
    >>> round(float(draw(ball, camera, torch.ones(3)).opacity[4, 4]), 2)
    0.95
    """
    loaded = load(_MODULE)
    if isinstance(loaded, Unavailable):
        return _by_torch(gaussians, camera, background, gradients)
    return _View(loaded, gaussians, camera).drawn(background)


def rendering(gaussians: Gaussians, cameras: Cameras, background: tuple[float, float, float]) -> Rendering:
    """Return all views, as ``Teacher.render_views`` does."""
    cameras, shape = cameras.to("cpu"), (len(cameras), cameras.height, cameras.width)
    views = [draw(gaussians, camera, torch.tensor(background)) for camera in cameras]
    if not views:
        return Rendering(torch.zeros(*shape, 3), torch.zeros(shape), torch.zeros(shape))
    return Rendering(
        torch.stack([view.image for view in views]).clamp(0, 1),
        torch.stack([view.opacity for view in views]).clamp(0, 1),
        torch.stack([view.depth for view in views]),
    )


def _by_torch(gaussians: Gaussians, camera: Cameras, background: Tensor, gradients: bool) -> Drawn:
    tensors = {
        name: tensor.detach().clone().requires_grad_(gradients) for name, tensor in gaussians.tensors.items()
    }
    copy = Gaussians.of_tensors(tensors, gaussians.antialiased)
    with torch.set_grad_enabled(gradients):
        image, opacity, depth = reference.draw(copy, camera, background)

    def backward(to_image: Tensor, to_opacity: Tensor) -> dict[str, Tensor]:
        loss = (image * to_image).sum() + (opacity * to_opacity).sum()
        found = torch.autograd.grad(loss, list(tensors.values()), allow_unused=True)
        pairs = zip(tensors.items(), found, strict=True)
        return {name: torch.zeros_like(tensor) if slope is None else slope for (name, tensor), slope in pairs}

    return Drawn(image.detach(), opacity.detach(), depth, backward)


class _View:
    """One camera's view, prepared: ellipses by depth, and each tile's."""

    def __init__(self, module: ModuleType, gaussians: Gaussians, camera: Cameras) -> None:
        self.module, self.size = module, (camera.height, camera.width)
        self.threads = thread_count()
        pose = reference.world_to_camera(camera).contiguous().numpy()
        extra = [camera.width, camera.height, reference.BLUR, float(gaussians.antialiased)]
        lens = np.array([*camera.intrinsics[0].tolist(), *extra], np.float32)
        tensors = [tensor.detach().contiguous().numpy() for tensor in gaussians.tensors.values()]
        self.given = (*tensors, pose, lens)
        self.count = len(gaussians)
        self.rows = np.empty((self.count, module.COLUMNS), np.float32)
        self._each(lambda first, last: module.project(*self.given, self.rows, first, last))
        seen = (self.rows[:, -1] >= 0).nonzero()[0]
        self.order = seen[self.rows[seen, 9].argsort(kind="stable")]
        self.sorted = self.rows[self.order]
        self.across = -(-camera.width // module.TILE)
        tiles = self.across * -(-camera.height // module.TILE)
        self.starts = np.zeros(tiles + 1, np.int64)
        module.count_tiles(self.sorted, self.across, self.starts)
        self.entries = np.empty(self.starts[-1], np.int32)
        module.fill_tiles(self.sorted, self.across, self.starts, np.zeros(tiles, np.int64), self.entries)

    def drawn(self, background: Tensor) -> Drawn:
        """Return the view."""
        image, opacity = np.empty((*self.size, 3), np.float32), np.empty(self.size, np.float32)
        depth, behind = np.empty(self.size, np.float32), background.float().numpy()

        def work(part: int) -> None:
            self.module.composite(*self._tiles(part), behind, image, opacity, depth)

        in_parts(work, self.threads)

        def backward(to_image: Tensor, to_opacity: Tensor) -> dict[str, Tensor]:
            return self._backward(image, opacity, to_image.contiguous().numpy(), to_opacity.contiguous().numpy())

        return Drawn(torch.from_numpy(image), torch.from_numpy(opacity), torch.from_numpy(depth), backward)

    def _backward(self, image: Array, opacity: Array, to_image: Array, to_opacity: Array) -> dict[str, Tensor]:
        parts = np.zeros((self.threads, len(self.sorted), self.module.GRADIENTS), np.float32)

        def work(part: int) -> None:
            tiles = self._tiles(part)
            self.module.composite_backward(*tiles, image, opacity, to_image, to_opacity, parts[part])

        in_parts(work, self.threads)
        slopes = np.zeros((self.count, self.module.GRADIENTS), np.float32)
        slopes[self.order] = parts.sum(0)
        found = [np.empty_like(tensor) for tensor in self.given[:5]]
        self._each(
            lambda first, last: self.module.project_backward(*self.given, self.rows, slopes, *found, first, last)
        )
        names = ("means", "log_scales", "quaternions", "opacity_logits", "harmonics")
        return {name: torch.from_numpy(array) for name, array in zip(names, found, strict=True)}

    def _tiles(self, part: int) -> tuple[Any, ...]:
        """Return the arguments for one thread's tiles: about as many entries as the others'."""
        shares = self.starts[-1] * np.arange(self.threads + 1) / self.threads
        borders = np.searchsorted(self.starts[:-1], shares)
        borders[0], borders[-1] = 0, len(self.starts) - 1
        return self.sorted, self.starts, self.entries, int(borders[part]), int(borders[part + 1]), self.across

    def _each(self, work: Any) -> None:
        """Call ``work(first, last)`` for each thread's Gaussians."""
        borders = [self.count * part // self.threads for part in range(self.threads + 1)]
        in_parts(lambda part: work(borders[part], borders[part + 1]), self.threads)
