"""Bit allocation: 8 bits for as many weights as an error budget allows, by each layer's effect on the image.

One scale per channel suits layers with similar inputs. The first layer of a guided student is not one: its inputs
are features, opacities and harmonics, and its 8 bits cost 18 dB more than those of any other layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

import nfcore
from nfcore import DeployedLightField, LightField
from nfcore_onnx.weights import Layer, rounded

#: PSNR against torch, dB, required after all rounding: 2 dB over the 50 that the exporter requires.
_REQUIRED = 52.0
#: Number of reference cameras to render, and rays along the longer side of each.
_VIEWS, _RAYS = 4, 24


def allocate_bits(
    deployed: DeployedLightField, student: LightField, candidates: Sequence[Layer], asked: Mapping[str, int]
) -> dict[str, int]:
    """Return the bits of each layer by name: 8, or 16 where 8 would cost too much.

    Errors of layers are nearly independent, so squared errors form a budget, which is spent where it saves most
    bytes. Bits ``asked`` for by name are always used and not counted.
    """
    bits = {layer.name: asked.get(layer.name, 16) for layer in candidates}
    state = deployed.state_dict()
    saved = {layer.name: sum(state[name].numel() for name in layer.tensors) for layer in candidates}
    cost = _costs(deployed, student, [layer for layer in candidates if layer.name not in asked])
    left = 10 ** (-_REQUIRED / 10)
    for name in sorted(cost, key=lambda name: cost[name] / saved[name]):
        if cost[name] <= left:
            bits[name] = 8
            left -= cost[name]
    return bits


@torch.no_grad()
def _costs(deployed: DeployedLightField, student: LightField, candidates: Sequence[Layer]) -> dict[str, float]:
    """Return the mean squared error of the worst image caused by 8 bits of each layer alone."""
    rays = _few_rays(student)
    of_encoding = deployed.rays.encoding
    features: Tensor = of_encoding(*rays)
    exact = deployed.image(features)
    state = deployed.state_dict()
    costs = {}
    for layer in candidates:
        kept = {name: state[name].clone() for name in layer.tensors}
        for name, axis in layer.tensors.items():
            state[name].copy_(rounded(kept[name], 8, axis))
        in_network = layer.name.partition(".")[0] != "encoding"
        image = deployed.image(features if in_network else of_encoding(*rays))
        costs[layer.name] = float((image - exact).square().mean((1, 2, 3)).max())
        for name, tensor in kept.items():
            state[name].copy_(tensor)
    return costs


def _few_rays(student: LightField) -> tuple[Tensor, Tensor]:
    """Return the rays of some reference cameras, coarsely sampled over the same view."""
    cameras, (rows, columns) = student.cameras, student.grid
    which = torch.linspace(0, len(cameras) - 1, min(len(cameras), _VIEWS)).long()
    share = min(1.0, _RAYS / max(rows, columns))
    rows, columns = max(1, round(share * rows)), max(1, round(share * columns))
    height, width = rows * student.scale, columns * student.scale
    smaller = torch.tensor([width / cameras.width, height / cameras.height]).repeat(2)
    poses, intrinsics = cameras.poses[which].cpu().float(), cameras.intrinsics[which].cpu().float()
    return nfcore.ray_grid(poses, intrinsics * smaller, height, width, student.scale)
