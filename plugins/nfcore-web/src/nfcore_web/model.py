"""The model in the page: graphs of several image sizes over one file of weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, external_data_helper, helper, numpy_helper

#: The graphs' name of their weights file, under which the page passes it to the runtime.
WEIGHTS = "weights.bin"

# Smaller tensors stay in the graph, such as sizes and octaves: ray arithmetic needs them in float32.
_LEAST_WEIGHTS = 1024


@dataclass(frozen=True)
class Model:
    """Graphs that share their weights.

    Args:
        graphs: one serialised ONNX graph for each image size, with external weights in ``WEIGHTS``.
        weights: all weights, each once.

    """

    graphs: tuple[bytes, ...]
    weights: bytes


def share_weights(models: list[ModelProto], *, half: bool) -> Model:
    """Return ``models`` with one file of weights; a tensor in several of them is stored once.

    Args:
        models: models of the same student, changed in place.
        half: store float32 weights within float16's range as float16; the graph converts them back and computes
            in float32.

    """
    weights = bytearray()
    offsets: dict[bytes, int] = {}
    for model in models:
        if half:
            _halve_storage(model)
        for tensor in model.graph.initializer:
            data = numpy_helper.to_array(tensor).tobytes()
            if len(data) < _LEAST_WEIGHTS:
                continue
            key = hashlib.sha256(data).digest()
            if key not in offsets:
                weights.extend(bytes(-len(weights) % 16))
                offsets[key] = len(weights)
                weights.extend(data)
            tensor.raw_data = data
            external_data_helper.set_external_data(tensor, WEIGHTS, offsets[key], len(data))
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    return Model(tuple(m.SerializeToString(deterministic=True) for m in models), bytes(weights))


def with_weights(graph: bytes, weights: bytes) -> bytes:
    """Return one graph with its weights embedded, so that ONNX Runtime needs no other file."""
    model = onnx.load_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            place = {entry.key: entry.value for entry in tensor.external_data}
            start = int(place["offset"])
            tensor.raw_data = weights[start : start + int(place["length"])]
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]
    serialised: bytes = model.SerializeToString()
    return serialised


def _halve_storage(model: ModelProto) -> None:
    """Store large float32 tensors as float16, and convert them back before they are used."""
    converted = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            continue
        value = numpy_helper.to_array(tensor)
        if value.nbytes < _LEAST_WEIGHTS or np.abs(value).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(value.astype(np.float16), f"{name}.half"))
        converted.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    nodes = [*converted, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
