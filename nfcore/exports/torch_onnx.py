"""Conversion of a torch module to an ONNX graph without traces of the machine that made it."""

from __future__ import annotations

import functools
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from nfcore.errors import NfcoreError
from nfcore.exports.conversions import Conversions

_graphs: Conversions[Any] = Conversions()


def onnx_graph(
    module: nn.Module,
    example: tuple[Tensor, ...],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    opset: int,
    free_axes: tuple[Mapping[int, object], ...] | None = None,
) -> Any:
    """Return ``module`` as an ``onnx.ModelProto`` without torch's metadata. Needs onnx and onnxscript.

    A graph takes seconds. The newest ones are kept: exports of one student to several targets share it.

    Args:
        module: in eval mode.
        example: one tensor for each input; they fix the axes that are not free.
        inputs: names of the inputs, in order.
        outputs: names of the outputs, in order.
        opset: ONNX operator set; torch writes 18 and later.
        free_axes: for each input, a ``torch.export.Dim`` for each axis that is free; all are fixed without.

    Raises:
        NfcoreError: the module can't be expressed in ONNX; names the reason.

    """
    free = [{axis: repr(dim) for axis, dim in (axes or {}).items()} for axes in free_axes or ()]
    shapes = [(tensor.dtype, tensor.shape) for tensor in example]
    settings = repr((shapes, inputs, outputs, opset, free))
    model = _graphs.get(module, settings, lambda: _converted(module, example, inputs, outputs, opset, free_axes))
    copy = type(model)()
    copy.CopyFrom(model)
    return copy


def _converted(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    opset: int,
    free_axes: tuple[Mapping[int, object], ...] | None,
) -> Any:
    with _quiet(), _one_table():
        try:
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                opset_version=opset,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=free_axes,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            cause = error.__cause__ or error
            reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
            raise NfcoreError(f"this student can't be expressed in ONNX: {reason}") from error
    assert program is not None
    model = program.model_proto
    strip_notes(model)
    return model


def strip_notes(model: Any) -> None:
    """Remove metadata that tools leave in an ``onnx.ModelProto``, such as stack traces."""
    graph = model.graph
    del graph.value_info[:]
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""


@contextmanager
def _one_table() -> Iterator[None]:
    """Keep torch's table of ONNX functions: for each export it parses the sources of 500 functions again."""
    try:
        from torch.onnx._internal.exporter._registration import ONNXRegistry
    except ImportError:  # torch keeps it elsewhere
        yield
        return
    with mock.patch.object(ONNXRegistry, "from_torchlib", staticmethod(_kept(ONNXRegistry.from_torchlib))):
        yield


@functools.cache
def _kept(make: Callable[..., Any]) -> Callable[..., Any]:
    return functools.cache(make)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch's exporter, which logs, warns about and prints its own internals."""
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
