"""W8A8: weights and activations of the network in 8 bits, with ranges measured at novel poses.

The first layer, with inputs of uneven scale, and the last one, with colours as outputs, stay in fp32. On a guided
lego student this gains 6 dB, and the two are a few per cent of the work.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.quant_utils import add_pre_process_metadata
from torch import Tensor

from nfcore import Cameras, LightField
from nfcore.geometry import NearbyRegion
from nfcore_onnx.weights import Layer, name_in

#: Pixels along the longer side of the images for measuring ranges: all activations are in memory at once.
_LONGEST = 400
#: Node types whose activations can be quantised.
_TYPES = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def novel_cameras(student: LightField, n: int, seed: int) -> Cameras:
    """Return ``n`` cameras interpolated between the student's reference cameras; needs no data set."""
    cameras = student.cameras.to("cpu")
    if len(cameras) < 2:
        return cameras[[0] * n]
    return NearbyRegion.around(cameras).sample(n, torch.Generator().manual_seed(seed))


def in_small(student: LightField) -> LightField | None:
    """Return the same student with smaller images of the same views, or None if they are small already."""
    cameras, scale = student.cameras, student.scale
    share = _LONGEST / max(cameras.height, cameras.width)
    if share >= 1:
        return None
    height, width = (max(1, round(share * side / scale)) * scale for side in (cameras.height, cameras.width))
    ratios = torch.tensor([width / cameras.width, height / cameras.height]).repeat(2)
    smaller = Cameras(cameras.poses.cpu(), cameras.intrinsics.cpu() * ratios, height, width)
    parts = (student.encoding, student.backbone, student.upsampler)
    return LightField(*parts, scene=student.scene, cameras=smaller)


def quantized(
    model: onnx.ModelProto,
    layers: Sequence[Layer],
    examples: Iterable[Mapping[str, Tensor]],
    smaller: onnx.ModelProto | None = None,
) -> tuple[onnx.ModelProto, int]:
    """Return ``model`` with all ``layers`` but the first and the last in 8 bits, and the number of those.

    Weights are symmetric per output channel, activations asymmetric per tensor with their range over all
    ``examples`` (Jacob et al. 2018, section 2; QDQ form).

    Args:
        model: an fp32 graph.
        layers: the student's layers.
        examples: inputs by name, for measuring ranges.
        smaller: the same graph for smaller images, if ranges are measured with it.

    """
    weights = {name_in(model, name) for layer in layers for name in layer.tensors}
    inner = [node.name for node in model.graph.node if node.op_type in _TYPES and node.input[1] in weights][1:-1]
    if not inner:
        return model, 0
    with tempfile.TemporaryDirectory() as folder:
        source, target, ranges = (Path(folder) / name for name in ("fp32.onnx", "w8a8.onnx", "ranges.json"))
        # One pass measures the ranges, a second one applies them.
        for graph in (model,) if smaller is None else (smaller, model):
            # Otherwise it advises to run its optimiser, and leaves a logging handler behind.
            add_pre_process_metadata(graph)
            onnx.save(graph, source)
            quantize_static(
                source,
                target,
                _Reader(examples),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_TYPES),
                nodes_to_quantize=inner,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                calibration_cache_path=ranges,
            )
        return onnx.load(target), len(inner)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Returns one example at a time."""

    def __init__(self, examples: Iterable[Mapping[str, Tensor]]) -> None:
        self.examples: Iterator[Mapping[str, Tensor]] = iter(examples)

    def get_next(self) -> dict[str, object] | None:
        """Return the next example's inputs, or None after the last."""
        example = next(self.examples, None)
        return None if example is None else {name: tensor.numpy() for name, tensor in example.items()}
