"""Fitting texels: opacities that become binary, features, and the network.

Opacities are continuous at first, then also binary at the same time, with the gradient of the continuous ones
(straight-through), as in MobileNeRF's training (sections 3.2 and 3.3). In the end they are frozen: of each sample
only the nearest opaque texel is left.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from nfcore.io import State
from nfcore_mobilenerf.pixels import Pixels
from nfcore_mobilenerf.polygons import FEATURES, HIDDEN, Layers, colour

#: Adam (Kingma and Ba 2015): what it keeps of means and squares. Texels that are rarely seen move as far.
BETAS, EPSILON = (0.9, 0.99), 1e-15
#: Logit of opacities at first.
OPACITY = 2.0
#: Weight of squared errors of opacities, where photos have alpha.
ALPHA_WEIGHT = 0.1
#: Weight of the nearest texels' transparency: holes are made only where the photos clearly show them.
HOLE_WEIGHT = 1e-3
#: Step sizes of features, of opacities as a multiple of that, and of the network.
RATE, OPACITY_RATE, NETWORK_RATE = 0.03, 1.0, 4e-3
#: Final step sizes as a share of the first ones; steps in which they rise.
FINAL_RATE, WARM_UP = 0.02, 50


@dataclass
class Texels:
    """What is fitted, with Adam's moments.

    Args:
        table: (t + 1, 9) features in [0, 1] and the opacity's logit; the last row stands for no texel.
        network: weights and biases in turn.
        moments: of the table and of each of ``network``: mean and square.
        steps: taken so far.

    """

    table: Tensor
    network: list[Tensor]
    moments: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    steps: int = 0

    def __post_init__(self) -> None:
        if not self.moments:
            self.moments = [(torch.zeros_like(part), torch.zeros_like(part)) for part in self.parts()]

    def parts(self) -> Iterator[Tensor]:
        """Yield the table and the network's tensors."""
        yield self.table
        yield from self.network

    @property
    def layers(self) -> Layers:
        """The network's layers."""
        return tuple(zip(self.network[::2], self.network[1::2], strict=True))

    def chosen(self, index: Tensor) -> Texels:
        """Return the texels at ``index`` (m,), as they are in the middle of a fit."""
        rows = torch.cat([index, torch.tensor([len(self.table) - 1])])
        mean, square = self.moments[0]
        return Texels(self.table[rows], self.network, [(mean[rows], square[rows]), *self.moments[1:]], self.steps)

    def state(self) -> State:
        """Return all, for a checkpoint."""
        return {"table": self.table, "network": self.network, "moments": self.moments, "steps": self.steps}

    @classmethod
    def of_state(cls, state: State) -> Texels:
        """Return what ``state`` has."""
        moments = [(mean, square) for mean, square in state["moments"]]
        return cls(state["table"], list(state["network"]), moments, state["steps"])


def first_texels(count: int, pixels: Pixels, generator: torch.Generator) -> Texels:
    """Return texels that have, as their first three features, the mean colour of the pixels that they are in."""
    sums = torch.zeros(count + 1, 4)
    rows = torch.cat([pixels.colours, torch.ones(len(pixels), 1)], 1)
    for layer in range(pixels.texels.shape[2]):
        # What is in front counts most; what is behind may show if that becomes transparent.
        for sample in range(4):
            texel = pixels.texels[:, sample, layer].long()
            sums.index_add_(0, torch.where(texel < 0, count, texel), rows, alpha=0.01**layer)
    table = torch.empty(count + 1, FEATURES + 1)
    table[:, :3] = torch.where(sums[:, 3:] > 0, sums[:, :3] / sums[:, 3:].clamp_min(1e-30), 0.5)
    table[:, 3:FEATURES] = (0.5 + 0.1 * torch.randn(count + 1, FEATURES - 3, generator=generator)).clamp(0, 1)
    table[:, FEATURES] = OPACITY
    table[count] = 0
    table[count, FEATURES] = -100
    return Texels(table, list(_first_network(generator)))


def _first_network(generator: torch.Generator) -> Iterator[Tensor]:
    widths = (FEATURES + 3, HIDDEN, HIDDEN, 3)
    for inputs, outputs in itertools.pairwise(widths):
        gain = 2.0 if outputs > 3 else 0.5
        yield torch.randn(outputs, inputs, generator=generator) * (gain / inputs) ** 0.5
        yield torch.zeros(outputs)


@dataclass(frozen=True)
class Kind:
    """How opacities count in a step: continuous, binary with straight-through gradients, or both; or frozen."""

    soft: bool
    hard: bool


SOFT, BOTH, HARD, FROZEN = Kind(True, False), Kind(True, True), Kind(False, True), Kind(False, False)


def step(texels: Texels, pixels: Pixels, batch: Tensor, kind: Kind, background: Tensor, scale: float) -> float:
    """Take one step on the pixels ``batch`` (n,) in place; return the squared error of the last kind of opacity.

    Args:
        texels: what is fitted.
        pixels: all pixels.
        batch: numbers of those of this step.
        kind: of opacities.
        background: (3,) RGB.
        scale: of the step sizes.

    """
    numbers = pixels.texels[batch].long()
    numbers = torch.where(numbers < 0, len(texels.table) - 1, numbers)
    flat = numbers.flatten()
    rows = texels.table[flat].requires_grad_()
    network = [part.detach().requires_grad_() for part in texels.network]
    layers: Layers = tuple(zip(network[::2], network[1::2], strict=True))
    looked_up = rows.view(*numbers.shape, FEATURES + 1)
    alpha = pixels.alpha[batch]
    known = ~alpha.isnan()
    with torch.enable_grad():
        cost, error = torch.zeros(()), torch.zeros(())
        for opacity in _opacities(looked_up[..., FEATURES], kind):
            rgb, seen = shade(looked_up[..., :FEATURES], opacity, layers, pixels.directions[batch], background)
            error = (rgb - pixels.colours[batch]).square().mean()
            cost = cost + error
            if kind is not FROZEN:
                cost = cost + HOLE_WEIGHT * (1 - opacity[..., 0]).mean()
                cost = cost + ALPHA_WEIGHT * (seen - torch.where(known, alpha, seen)).square().mean()
        cost.backward()
    assert rows.grad is not None
    _move(texels, flat, rows.grad, [part.grad for part in network], scale)
    return float(error.detach())


def _opacities(logits: Tensor, kind: Kind) -> Iterator[Tensor]:
    if kind is FROZEN:
        yield (logits > -50).float()
        return
    soft = torch.sigmoid(logits)
    if kind.soft:
        yield soft
    if kind.hard:
        yield (logits > 0).float() + soft - soft.detach()


def shade(
    features: Tensor, opacity: Tensor, layers: Layers, directions: Tensor, background: Tensor
) -> tuple[Tensor, Tensor]:
    """Return RGB (n, 3) and opacity (n,) of features (n, 4, layers, 8) with opacities (n, 4, layers)."""
    passed = torch.cumprod(torch.cat([torch.ones_like(opacity[..., :1]), 1 - opacity[..., :-1]], -1), -1)
    weight = opacity * passed
    seen = weight.sum((1, 2)) / 4
    mean = torch.einsum("nsk,nskf->nf", weight, features) / (4 * seen).clamp_min(1e-3)[:, None]
    rgb = colour(layers, mean, directions)
    return background + seen[:, None] * (rgb - background), seen


@torch.no_grad()
def _move(texels: Texels, numbers: Tensor, gradient: Tensor, others: list[Tensor | None], scale: float) -> None:
    """Take a step of Adam with the rows that were looked up, and with the network."""
    texels.steps += 1
    touched = torch.zeros(len(texels.table), dtype=torch.bool)
    touched[numbers] = True
    touched[-1] = False
    rows = touched.nonzero()[:, 0]
    place = torch.full((len(texels.table),), len(rows), dtype=torch.int64)
    place[rows] = torch.arange(len(rows))
    sums = torch.zeros(len(rows) + 1, gradient.shape[1])
    sums.index_add_(0, place[numbers], gradient)
    mean, square = (moment[rows] for moment in texels.moments[0])
    rates = torch.full((gradient.shape[1],), RATE)
    rates[FEATURES] *= OPACITY_RATE
    moved = texels.table[rows] - scale * rates * _direction(sums[:-1], mean, square, texels.steps)
    moved[:, :FEATURES].clamp_(0, 1)
    texels.table[rows] = moved
    for moment, new in zip(texels.moments[0], (mean, square), strict=True):
        moment[rows] = new
    for part, slope, moments in zip(texels.network, others, texels.moments[1:], strict=True):
        if slope is not None:
            part -= scale * NETWORK_RATE * _direction(slope, *moments, texels.steps)


def _direction(gradient: Tensor, mean: Tensor, square: Tensor, steps: int) -> Tensor:
    """Update the moments in place; return the corrected mean over the root of the corrected square."""
    mean.lerp_(gradient, 1 - BETAS[0])
    square.lerp_(gradient.square(), 1 - BETAS[1])
    corrected = (square / (1 - BETAS[1] ** steps)).sqrt_().add_(EPSILON)
    return mean / (1 - BETAS[0] ** steps) / corrected


def step_scale(progress: float, steps: int) -> float:
    """Return the share of the first step sizes at ``progress`` in [0, 1] after ``steps`` steps."""
    return float(min(1.0, (steps + 1) / WARM_UP) * FINAL_RATE ** max(0.0, (progress - 0.2) / 0.8))
