"""Conversion of a torch module to an ONNX graph with a description."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import torch
from torch import Tensor, nn

from nfcore import ExportedFile
from nfcore.exports import onnx_graph


def convert(module: nn.Module, example: tuple[Tensor, ...], file: ExportedFile, opset: int) -> onnx.ModelProto:
    """Return the graph of ``module``, with the free axes of the inputs of ``file``.

    Raises:
        NfcoreError: the module can't be expressed in ONNX; names the reason.

    """
    free: dict[str, torch.export.Dim] = {}
    free_axes = tuple(
        {
            axis: free.setdefault(side, torch.export.Dim(side))
            for axis, side in enumerate(port.shape)
            if isinstance(side, str)
        }
        for port in file.inputs
    )
    inputs, outputs = ([port.name for port in ports] for ports in (file.inputs, file.outputs))
    model: onnx.ModelProto = onnx_graph(
        module, example, inputs=inputs, outputs=outputs, opset=opset, free_axes=free_axes
    )
    return model


def describe(model: onnx.ModelProto, file: ExportedFile, text: str, notes: Mapping[str, str]) -> None:
    """Add a description of the file and of its inputs and outputs to ``model``."""
    model.producer_name, model.producer_version = "nfcore", notes["nfcore_version"]
    model.graph.name = file.name.removesuffix(".onnx")
    model.doc_string = text
    meanings = {port.name: port.meaning for port in (*file.inputs, *file.outputs)}
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = meanings[value.name]
    onnx.helper.set_model_props(model, dict(notes))
