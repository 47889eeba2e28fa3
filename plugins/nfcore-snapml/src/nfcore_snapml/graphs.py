"""A torch module as an ONNX graph of operations that SnapML runs.

The graph uses operator set 11, as Snap's own lenses do; torch writes only newer ones. Two operations are
rewritten:

- GELU becomes ``GeluSnap``, a node that only SnapML has and that Snap's own lenses use: operator set 11 has no
  GELU.
- Cosine becomes 1 - 2 sin(x / 2)^2, because SnapML does not run it on the iPhone's Neural Engine (the page
  *Compatibility* of SnapML's documentation). sin(x + pi / 2) would do as well, but its sum rounds large angles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper
from torch import Tensor, nn

from nfcore import NfcoreError
from nfcore.exports import onnx_graph

OPERATOR_SET, IR_VERSION = 11, 6
#: SnapML's GELU, as a node of the default domain.
GELU = "GeluSnap"

# Torch's operator set for these graphs: the first in which GELU is one node.
_WRITTEN = 20
# Second inputs that were attributes in operator set 11.
_ATTRIBUTES = {
    "Split": "split",
    **dict.fromkeys(("Squeeze", "Unsqueeze", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), "axes"),
}
# Later comparisons, and the one that they negate.
_DENIED = {"LessOrEqual": "Greater", "GreaterOrEqual": "Less"}
# Later attributes, which torch writes with the value implied in operator set 11.
_IMPLIED = {"Reshape": "allowzero", "Split": "num_outputs"}


def convert(module: nn.Module, example: tuple[Tensor, ...], inputs: Sequence[str], output: str) -> ModelProto:
    """Return the graph of ``module``, which has one output; all shapes are those of the example.

    Raises:
        NfcoreError: the module can't be expressed in SnapML's operator set; names the reason.

    """
    model: ModelProto = onnx_graph(module, example, inputs=inputs, outputs=[output], opset=_WRITTEN)
    _spell_out(model)
    _in_older_operators(model)
    try:
        _check(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).strip().partition("\n")[0]
        raise NfcoreError(
            f"this student can't be expressed in ONNX opset {OPERATOR_SET}, SnapML's: {reason}"
        ) from error
    return model


def runnable(model: ModelProto) -> None:
    """Replace SnapML's GELU by ONNX Runtime's exact one, in place."""
    for node in model.graph.node:
        if node.op_type == GELU and not node.domain:
            node.op_type, node.domain = "Gelu", "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _in_older_operators(model: ModelProto) -> None:
    """Convert the graph's nodes to operator set 11, in place."""
    graph = model.graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in _IMPLIED:
            kept = [attribute for attribute in node.attribute if attribute.name != _IMPLIED[node.op_type]]
            del node.attribute[:]
            node.attribute.extend(kept)
        if node.op_type in _ATTRIBUTES and len(node.input) == 2 and node.input[1] in constants:
            values = constants[node.input.pop()].tolist()
            node.attribute.append(helper.make_attribute(_ATTRIBUTES[node.op_type], values))
        if node.op_type == "Gelu" and not any(attribute.s == b"tanh" for attribute in node.attribute):
            node.op_type = GELU
            del node.attribute[:]
    used = {name for node in graph.node for name in node.input}
    unused = [tensor for tensor in graph.initializer if tensor.name not in used]
    for tensor in unused:
        graph.initializer.remove(tensor)
    model.ir_version = IR_VERSION
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", OPERATOR_SET))


def _spell_out(model: ModelProto) -> None:
    """Replace nodes that SnapML, or its operator set, does not support by several others, in place."""
    graph = model.graph
    if any(node.op_type == "Cos" for node in graph.node):
        for name, value in (("half", 0.5), ("one", 1.0), ("two", 2.0)):
            graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), f"cosine.{name}"))
    nodes: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Cos":
            nodes += _cosine(node.input[0], node.output[0])
        elif node.op_type in _DENIED:
            denied = f"{node.output[0]}.denied"
            nodes.append(helper.make_node(_DENIED[node.op_type], node.input, [denied]))
            nodes.append(helper.make_node("Not", [denied], node.output))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _cosine(angle: str, cosine: str) -> list[NodeProto]:
    """Return nodes that compute ``cosine`` as 1 - 2 sin(angle / 2)^2."""
    half, sine, square, double = (f"{cosine}.{step}" for step in ("half", "sine", "square", "double"))
    return [
        helper.make_node("Mul", [angle, "cosine.half"], [half]),
        helper.make_node("Sin", [half], [sine]),
        helper.make_node("Mul", [sine, sine], [square]),
        helper.make_node("Mul", [square, "cosine.two"], [double]),
        helper.make_node("Sub", ["cosine.one", double], [cosine]),
    ]


def _check(model: ModelProto) -> None:
    """Check all nodes with ONNX's checker, except SnapML's own."""
    seen = ModelProto()
    seen.CopyFrom(model)
    del seen.graph.value_info[:]
    runnable(seen)
    onnx.checker.check_model(seen, full_check=True)
