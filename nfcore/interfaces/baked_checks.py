"""The check of a baked field where it reaches the core: its parts fit together, its numbers are finite."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from nfcore.interfaces.baked import BakedField
from nfcore.interfaces.boundaries import ContractError
from nfcore.interfaces.teacher import Teacher

_RULE = "teacher.baked"


def check_baked(teacher: Teacher, baked: object) -> BakedField:
    """Return what ``teacher.baked`` returned, after checking that it is a complete field.

    Raises:
        ContractError: it is none, or a part of it has another shape or type, or holds NaN; names the part.

    """
    if not isinstance(baked, BakedField):
        raise ContractError(teacher, _RULE, f"it is a {type(baked).__qualname__}")
    fault = next(_faults(baked), None)
    if fault is not None:
        raise ContractError(teacher, _RULE, fault)
    return baked


def _faults(baked: BakedField) -> Iterator[str]:
    """Yield what is wrong; later checks assume that earlier ones have found nothing."""
    if min(baked.shape) < 2:
        yield f"a grid of {baked.shape} vertices: at least 2 along each axis are needed"
    for name, (low, high) in (("box", baked.box), ("bounds", baked.bounds)):
        if not all(math.isfinite(a) and math.isfinite(b) and a <= b for a, b in zip(low, high, strict=True)):
            yield f"{name} from {low} to {high}"
    vertices = baked.vertices
    yield from _other_form("vertices", vertices, (len(vertices),), torch.int64)
    if len(vertices) and not (vertices[0] >= 0 and vertices[-1] < math.prod(baked.shape)):
        yield f"vertices from {int(vertices[0])} to {int(vertices[-1])} of {math.prod(baked.shape)}"
    if not (vertices.diff() > 0).all():
        yield "vertices are not sorted"
    yield from _other_form("table", baked.table, (len(vertices) + 1, max(4, baked.table.shape[-1])), torch.float32)
    x, y, z = baked.shape
    yield from _other_form("occupied", baked.occupied, (x - 1, y - 1, z - 1), torch.bool)
    yield from _other_layers(baked)
    numbers = ("step", "density_gain", "density_scale", "stop_transmittance")
    for name in numbers:
        if not 0 < getattr(baked, name) < math.inf:
            yield f"{name} is {getattr(baked, name)}"


def _other_layers(baked: BakedField) -> Iterator[str]:
    """Yield what is wrong with the network."""
    if baked.harmonics_degree not in (2, 3):
        yield f"harmonics_degree is {baked.harmonics_degree}, not 2 or 3"
    sides = [baked.values + (baked.harmonics_degree + 1) ** 2 - 1, *(len(bias) for _, bias in baked.layers)]
    if sides[-1] != 3 or len(sides) == 1:
        yield f"{len(baked.layers)} layers with {sides[1:]} outputs: the last must have 3"
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sides)):
        weight, bias = baked.layers[index]
        yield from _other_form(f"weights of layer {index}", weight, (outputs, inputs), torch.float32)
        yield from _other_form(f"bias of layer {index}", bias, (outputs,), torch.float32)


def _other_form(name: str, value: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Iterator[str]:
    """Yield how ``value`` differs from a finite tensor of ``shape`` and ``dtype`` on the CPU."""
    if tuple(value.shape) != shape or value.dtype != dtype or value.device.type != "cpu":
        yield f"{name}: {tuple(value.shape)} {value.dtype} on {value.device}, not {shape} {dtype} on the CPU"
    elif not value.isfinite().all():
        yield f"{name}: {int((~value.isfinite()).sum())} of {value.numel()} values are NaN or infinite"
