"""From a torch module to an ONNX graph that says what it is and nothing about the machine that made it."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import onnx
import torch
from torch import Tensor, nn

from nfcore import ExportedFile, NfcoreError


def convert(module: nn.Module, example: tuple[Tensor, ...], file: ExportedFile, opset: int) -> onnx.ModelProto:
    """Return the graph of ``module``, with the free axes that the inputs of ``file`` have.

    Raises:
        NfcoreError: the module can't be expressed in ONNX; names the reason.

    """
    free: dict[str, torch.export.Dim] = {}
    shapes = tuple(
        {
            axis: free.setdefault(side, torch.export.Dim(side))
            for axis, side in enumerate(port.shape)
            if isinstance(side, str)
        }
        for port in file.inputs
    )
    with _quiet():
        try:
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                opset_version=opset,
                input_names=[port.name for port in file.inputs],
                output_names=[port.name for port in file.outputs],
                dynamic_shapes=shapes,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            cause = error.__cause__ or error
            raise NfcoreError(f"this student can't be expressed in ONNX: {first_line(cause)}") from error
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    strip(model)
    return model


def strip(model: onnx.ModelProto) -> None:
    """Remove torch's notes on where each node came from: stack traces are no business of a delivered file."""
    graph = model.graph
    del graph.value_info[:]
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""


def describe(model: onnx.ModelProto, file: ExportedFile, text: str, notes: Mapping[str, str]) -> None:
    """Say in the file itself what it is, and what goes in and comes out."""
    model.producer_name, model.producer_version = "nfcore", notes["nfcore_version"]
    model.graph.name = file.name.removesuffix(".onnx")
    model.doc_string = text
    meanings = {port.name: port.meaning for port in (*file.inputs, *file.outputs)}
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = meanings[value.name]
    onnx.helper.set_model_props(model, dict(notes))


def first_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from logging, warning and printing whole graphs about its own internals."""
    logs = [logging.getLogger(name) for name in ("torch.onnx", "torch.fx")]
    levels = [log.level for log in logs]
    printed = io.StringIO()
    try:
        for log in logs:
            log.setLevel(logging.ERROR)
        with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
