"""Weights in 8 or 16 bits in a graph that computes in fp32: converted once, when a runtime loads it.

DequantizeLinear would do the same in one node, but ONNX Runtime treats it as a part of a quantised layer and runs
it for every image, so that convolutions can't pre-pack their weights: 1.3 times the time of fp32 for the paper's
student. A cast and a product of constants are folded by every runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from nfcore import DeployedLightField

#: Tensors of an encoding with fewer values than this are not treated as tables.
_TABLE = 4096
#: The greatest magnitude of float16.
_HALF = 65504.0

#: Where the parts of a deployed student are in the student.
_PARTS = {"image.network.0": "backbone", "image.network.1": "upsampler", "rays.encoding": "encoding"}


@dataclass(frozen=True)
class Layer:
    """A module of a deployed student whose weights have the same number of bits.

    Args:
        name: the module's name in the student, such as ``backbone.body.3.branch.0``.
        tensors: names of its tensors in the deployed student, each with its channel axis.

    """

    name: str
    tensors: Mapping[str, int]


def layers(deployed: DeployedLightField) -> list[Layer]:
    """Return convolutions and linear layers of the network, and the tables of the encoding."""
    found = []
    for path, module in deployed.named_modules():
        part = next((part for part in _PARTS if path == part or path.startswith(f"{part}.")), None)
        if part is None:
            continue
        least = _TABLE if part == "rays.encoding" else 1
        is_layer = isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
        if is_layer or part == "rays.encoding":
            axis = 0 if isinstance(module, nn.Conv2d | nn.Linear) else 1
            own = (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))
            tensors = {
                f"{path}.{name}": axis
                for name, tensor in own
                if tensor.is_floating_point() and tensor.ndim > 1 and tensor.numel() >= least
            }
            if tensors:
                found.append(Layer(_PARTS[part] + path.removeprefix(part), tensors))
    return found


def rounded(weight: Tensor, bits: int, axis: int = 0) -> Tensor:
    """Return a float32 ``weight`` rounded to 8 or 16 bits.

    16 is float16. 8 is a signed integer times a float32 scale for each index of ``axis``, the greatest magnitude
    over 127 (symmetric, per channel: Krishnamoorthi 2018, section 2.4).
    """
    if bits == 16:
        return weight.half().float()
    whole, scale = _integers(weight, axis)
    return whole.float() * scale


def store(model: onnx.ModelProto, candidates: Iterable[Layer], bits: Mapping[str, int]) -> None:
    """Store weights of ``model`` in 8 or 16 ``bits``, by layer name, in place.

    Layers without ``bits`` are not changed; nor are values out of float16's range at 16 bits.
    """
    graph = model.graph
    widening = []
    for layer in candidates:
        if layer.name not in bits:
            continue
        for name, axis in layer.tensors.items():
            held = name_in(model, name)
            tensor = next((tensor for tensor in graph.initializer if tensor.name == held), None)
            if tensor is None or tensor.data_type != TensorProto.FLOAT:
                continue
            weight = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            if bits[layer.name] == 16 and weight.abs().max() > _HALF:
                continue
            graph.initializer.remove(tensor)
            widening += _stored(graph, tensor.name, weight, bits[layer.name], axis)
    nodes = [*widening, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def name_in(model: onnx.ModelProto, name: str) -> str | None:
    """Return the name of a tensor of the deployed student in the graph of the student or of a part of it."""
    held = {tensor.name for tensor in model.graph.initializer}
    forms = (name, name.removeprefix("image."), name.removeprefix("rays."))
    return next((form for form in forms if form in held), None)


def _stored(graph: onnx.GraphProto, name: str, weight: Tensor, bits: int, axis: int) -> list[onnx.NodeProto]:
    """Add ``weight`` to ``graph`` in few bits; return the nodes that convert it to float32 as ``name``."""
    if bits == 16:
        graph.initializer.append(numpy_helper.from_array(weight.half().numpy(), f"{name}.half"))
        return [_cast(f"{name}.half", name)]
    whole, scale = _integers(weight, axis)
    graph.initializer.append(numpy_helper.from_array(whole.numpy(), f"{name}.int8"))
    graph.initializer.append(numpy_helper.from_array(scale.numpy(), f"{name}.scale"))
    wide = f"{name}.wide"
    product = helper.make_node("Mul", [wide, f"{name}.scale"], [name], name=f"{name}.scaled")
    return [_cast(f"{name}.int8", wide), product]


def _cast(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], name=f"{source}.cast", to=TensorProto.FLOAT)


def _integers(weight: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return int8 values and their float32 scale, which broadcasts over them."""
    others = [other for other in range(weight.ndim) if other != axis]
    scale = weight.abs().amax(others, keepdim=True) / 127
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (weight / scale).round().to(torch.int8), scale
