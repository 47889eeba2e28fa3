"""One step of the fit of voxels: by kernels that do all of it at once, or by torch's autograd."""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import NfcoreError
from nfcore.io import State
from nfcore.kernels import (
    TOUCHED_AT_ONCE,
    Floats,
    Unavailable,
    absorption_table,
    in_parts,
    on_huge_pages,
    row_lanes,
    touched_size,
    zeros,
)
from nfcore.runtime import eager_optimizer
from nfcore_snerg.frame import LONGEST, VoxelGrid
from nfcore_snerg.pixels import Pixels
from nfcore_snerg.rendering import Renderer, arrays
from nfcore_snerg.voxels import GAIN, HIGHEST, LOWEST, SHIFT, depth_scale, premultiplied

_BETAS, _EPSILON = (0.9, 0.99), 1e-15
_Adam = eager_optimizer(torch.optim.Adam)
#: Step size of values, as a share of that of raw densities.
_VALUE_RATE = 0.5


class Weights(NamedTuple):
    """What terms of the loss count.

    Args:
        alpha: the mean squared error of opacities, where photos have alpha.
        opacity: the mean over samples of log(1 + 2 s^2) for a density s: few voxels are half transparent (SNeRG,
            section 5.1).

    """

    alpha: float
    opacity: float


class Descent(Protocol):
    """Takes steps down the squared error of rays."""

    fitted: Tensor
    """(rows, 8) raw density and values; row 0 is empty."""

    def step(self, pixels: Pixels, jitter: Tensor, rates: tuple[float, float]) -> tuple[float, int]:
        """Take one step; return the mean squared error before it, and how many samples it took.

        Args:
            pixels: n rays, and what they should see.
            jitter: (n,) in [0, 1).
            rates: step sizes of raw densities and of the network.

        Raises:
            NfcoreError: the loss is not a number.

        """

    def state(self) -> State:
        """Return the moments."""

    def restore(self, state: State) -> None:
        """Continue from ``state``."""


def descent(renderer: Renderer, fitted: Tensor, weights: Weights, parts: int) -> Descent:
    """Return how ``fitted`` is optimised here, by ``parts`` threads; ``renderer.table`` follows it."""
    if isinstance(renderer.kernels, Unavailable):
        return Autograd(renderer, fitted, weights)
    return Fused(renderer, fitted, weights, parts)


class Fused:
    """Kernels do all of it: see ``nfcore_snerg.kernels``."""

    def __init__(self, renderer: Renderer, fitted: Tensor, weights: Weights, parts: int) -> None:
        self.renderer, self.fitted, self.weights = renderer, fitted, weights
        rows, self.parts = len(fitted), parts
        self.gradients = zeros((self.parts, rows * 8))
        self.touched = zeros((self.parts, touched_size(rows)), np.uint8)
        self.moments = [torch.zeros_like(fitted), torch.zeros_like(fitted)]
        for array in (fitted, renderer.table, *self.moments):
            on_huge_pages(array.numpy())
        grid = renderer.atlas.grid
        self.absorption = absorption_table(GAIN, SHIFT, depth_scale(grid))
        self.density_scale = np.float32(_density_scale(grid))
        self.network = _adam(renderer)
        self.steps, self.samples = 0, 100_000

    def step(self, pixels: Pixels, jitter: Tensor, rates: tuple[float, float]) -> tuple[float, int]:
        """Take one step; see ``Descent``."""
        renderer, n, kernels = self.renderer, len(jitter), self.renderer.kernels
        network, width = renderer.weights
        slopes = np.zeros((self.parts, len(network)), np.float32)
        alpha = torch.zeros(n) if pixels.alpha is None else pixels.alpha
        targets = (jitter.numpy(), pixels.colours.contiguous().numpy(), alpha.contiguous().numpy())
        costs = (
            np.float32(0 if pixels.alpha is None else self.weights.alpha),
            np.float32(self.weights.opacity / max(1, self.samples)),
            self.density_scale,
        )
        scene = (renderer.background.numpy(), renderer.record, network, width)
        rays = arrays(renderer.rays(pixels.rays))

        def train(part: int) -> tuple[float, int]:
            seen: tuple[float, int] = kernels.train(  # type: ignore[union-attr]
                part, self.parts, *rays, *targets, *costs, *scene,
                self.gradients[part], self.touched[part], slopes[part],
            )  # fmt: skip
            return seen

        errors, samples = zip(*in_parts(train, self.parts), strict=True)
        error, self.samples = sum(errors) / (3 * n), sum(samples)
        slope = slopes.sum(0)
        _require_finite(error if np.isfinite(slope).all() else math.nan)
        renderer.network.weights.grad = torch.from_numpy(slope)
        self.network.param_groups[0]["lr"] = rates[1]
        self.network.step()
        self._move(rates[0])
        return error, self.samples

    def _move(self, rate: float) -> None:
        """Take a step with the rows that were touched."""
        self.steps += 1
        self.touched[:, 0] = 0
        self.gradients[:, :8] = 0
        size, lanes = self.touched.shape[1], row_lanes(8)
        rates = np.full(8, rate * _VALUE_RATE / (1 - _BETAS[0] ** self.steps), np.float32)
        rates[0] /= _VALUE_RATE
        bounds = [np.array([first] + [rest] * 7, np.float32) for first, rest in (LOWEST, HIGHEST)]
        numbers = [np.float32(x) for x in (*_BETAS, 1 / (1 - _BETAS[1] ** self.steps))]
        found, chunks = np.empty(size, np.int32), size // TOUCHED_AT_ONCE
        moments = [_flat(moment) for moment in self.moments]

        def move(part: int) -> None:
            first, last = (chunks * (part + side) // self.parts * TOUCHED_AT_ONCE for side in (0, 1))
            self.renderer.kernels.step_rows(  # type: ignore[union-attr]
                lanes, first, last, self.absorption, _flat(self.fitted), _flat(self.renderer.table),
                self.gradients, self.touched, *moments, rates, *bounds, *numbers, found,
            )  # fmt: skip

        in_parts(move, self.parts)

    def state(self) -> State:
        """Return the moments."""
        mean, square = self.moments
        return {
            "mean": mean, "square": square, "steps": self.steps, "samples": self.samples,
            "network": self.network.state_dict()["state"],
        }  # fmt: skip

    def restore(self, state: State) -> None:
        """Continue from ``state``."""
        for moment, name in zip(self.moments, ("mean", "square"), strict=True):
            moment.copy_(state[name])
        self.steps, self.samples = state["steps"], state["samples"]
        _restore(self.network, state["network"])


class Autograd:
    """Torch renders, differentiates and optimises."""

    def __init__(self, renderer: Renderer, fitted: Tensor, weights: Weights) -> None:
        self.renderer, self.weights = renderer, weights
        self.fitted = fitted.requires_grad_()
        self.voxels = _Adam([self.fitted], betas=_BETAS, eps=_EPSILON)
        self.network = _adam(renderer)

    def step(self, pixels: Pixels, jitter: Tensor, rates: tuple[float, float]) -> tuple[float, int]:
        """Take one step; see ``Descent``."""
        renderer = self.renderer
        stored = premultiplied(self.fitted, renderer.atlas.grid)
        table = torch.cat([torch.zeros(1, 8), stored[1:]])
        seen = renderer.differentiable(renderer.rays(pixels.rays), table, jitter)
        error = F.mse_loss(seen.rgb, pixels.colours)
        _require_finite(error.item())
        if not seen.samples:
            return error.item(), 0
        density = -(1 - table[1:, 0].clamp(max=0.999)).log() * _density_scale(renderer.atlas.grid)
        loss = error + self.weights.opacity * (1 + 2 * density**2).log().mean()
        if pixels.alpha is not None:
            loss = loss + self.weights.alpha * F.mse_loss(seen.sums[:, 0], pixels.alpha)
        for optimizer, rate in zip((self.voxels, self.network), rates, strict=True):
            optimizer.zero_grad()
            optimizer.param_groups[0]["lr"] = rate
        loss.backward()
        for optimizer in (self.voxels, self.network):
            optimizer.step()
        with torch.no_grad():
            self.fitted[:, 0].clamp_(LOWEST[0], HIGHEST[0])
            self.fitted[:, 1:].clamp_(LOWEST[1], HIGHEST[1])
            renderer.table[1:] = premultiplied(self.fitted[1:], renderer.atlas.grid)
        return error.item(), seen.samples

    def state(self) -> State:
        """Return the moments."""
        return {"voxels": self.voxels.state_dict()["state"], "network": self.network.state_dict()["state"]}

    def restore(self, state: State) -> None:
        """Continue from ``state``."""
        _restore(self.voxels, state["voxels"])
        _restore(self.network, state["network"])


def _adam(renderer: Renderer) -> torch.optim.Adam:
    return _Adam([renderer.network.weights], betas=_BETAS, eps=_EPSILON)


def _restore(optimizer: torch.optim.Optimizer, state: State) -> None:
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _density_scale(grid: VoxelGrid) -> float:
    """Return the density of an optical depth of 1 in a voxel, where the box's longest side is 2."""
    return LONGEST / (2 * grid.voxel)


def _require_finite(error: float) -> None:
    if not math.isfinite(error):
        raise NfcoreError(f"the teacher's loss became {error}: lower its learning_rate")


def _flat(tensor: Tensor) -> Floats:
    flat: Floats = tensor.detach().view(-1).numpy()
    return flat
