"""8-bit weights: integers with one scale per output channel, converted when the model is loaded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from openvino import Model, Node, opset13

# Layers with weights as their second input, and the weights' axis of output channels.
_OUTPUTS = {"Convolution": 0, "ConvolutionBackpropData": 1}


def round_to_int8(model: Model, kept: int = 0) -> int:
    """Replace the weights of convolutions and linear layers by int8 times a scale, in place; return their number.

    Symmetric, with one scale per output channel: the largest weight of a channel becomes 127. The network computes
    as before, in floating point. Layers with weights that are not constant, and those of the encoding, are not
    changed.

    Args:
        model: the model.
        kept: number of first layers that are not changed.

    """
    layers = [layer for layer in model.get_ordered_ops() if _has_weights(layer)]
    for layer in layers[kept:]:
        weights = layer.input_value(1).get_node()
        layer.input(1).replace_source_output(_rounded(weights, _output_axis(layer)).output(0))
    model.validate_nodes_and_infer_types()
    return len(layers[kept:])


def _has_weights(layer: Node) -> bool:
    if layer.get_type_name() not in (*_OUTPUTS, "MatMul"):
        return False
    weights = layer.input_value(1).get_node()
    of_the_encoding = weights.get_friendly_name().startswith("rays.")
    return weights.get_type_name() == "Constant" and not of_the_encoding


def _output_axis(layer: Node) -> int:
    if layer.get_type_name() == "MatMul":
        return 0 if layer.get_attributes()["transpose_b"] else 1
    return _OUTPUTS[layer.get_type_name()]


def _rounded(weights: Node, axis: int) -> Node:
    """Return a node that computes the rounded weights in the type of ``weights``."""
    values = weights.data
    others = tuple(other for other in range(values.ndim) if other != axis)
    # The scale is rounded to the network's type first, so that only the integers lose precision.
    largest: NDArray[np.float32] = np.abs(values.astype(np.float32)).max(others, keepdims=True)
    scales = np.maximum(largest / 127, np.finfo(values.dtype).tiny).astype(values.dtype)
    whole = np.clip(np.rint(values.astype(np.float32) / scales.astype(np.float32)), -127, 127).astype(np.int8)
    unfolded = opset13.convert(opset13.constant(whole), weights.get_element_type())
    return opset13.multiply(unfolded, opset13.constant(scales))
