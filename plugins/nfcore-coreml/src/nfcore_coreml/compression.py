"""Compression of a saved package's weights with ``coremltools.optimize.coreml``."""

from __future__ import annotations

import functools
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

import nfcore
from nfcore_coreml.evaluator import Package
from nfcore_coreml.evaluator.values import ELEMENTS, Declared, decode
from nfcore_coreml.palettes import Palettes
from nfcore_coreml.precision import LAYER_PRECISIONS, PRECISIONS, Precision
from nfcore_coreml.toolchain import MIL_pb2, coremltools, optimize, quiet

if TYPE_CHECKING:
    from coremltools.optimize.coreml import OpLinearQuantizerConfig, OpPalettizerConfig

#: Output channels that share a palette: with 6 bits this adds 2 to 3 percent to the size, and gains about 2 dB.
GROUP = 16

#: The axis of the output channels, by the op that takes the weight.
OUTPUT_AXIS = {"conv_transpose": 1}

#: Overhead of a tensor in the weight file: a record, and up to a record's size to align the data.
RECORD_BYTES = 96


@dataclass(frozen=True)
class Weight:
    """One weight of the program, as stored in the file.

    Args:
        name: the constant's name in the program.
        shape: the tensor's shape, with two axes or more.
        axis: the axis of a layer's output channels; None for a table that is gathered from.

    """

    name: str
    shape: tuple[int, ...]
    axis: int | None

    @property
    def channels(self) -> int | None:
        """Output channels of a layer; None for a table."""
        return None if self.axis is None else self.shape[self.axis]

    def bytes(self, precision: Precision) -> int:
        """Return its approximate size at ``precision``, with its palettes or scales."""
        count, entry = math.prod(self.shape), ELEMENTS[MIL_pb2.FLOAT16].bits // 8
        packed = -(-count * precision.bits // 8) + RECORD_BYTES
        if precision.scheme == "half":
            return packed
        channels = self.channels or 1
        if precision.scheme == "linear":  # a scale and a zero point for each channel
            return packed + channels * (entry + 1) + 2 * RECORD_BYTES
        palettes = channels // self.group if precision.grouped else 1
        entries: int = 2**precision.bits
        return packed + palettes * entries * entry + RECORD_BYTES

    @property
    def group(self) -> int:
        """The number of channels that share a palette: at most ``GROUP``, a divisor of the channels."""
        return math.gcd(self.channels or 1, GROUP)

    def blocks(self, values: np.ndarray, precision: Precision) -> list[np.ndarray]:
        """Return the parts of the weight's ``values`` that each have a palette."""
        if self.axis is None or self.channels is None or not precision.grouped:
            return [values]
        return np.split(np.swapaxes(values, 0, self.axis), self.channels // self.group)

    def suited(self, precision: Precision) -> Precision:
        """Return the package's precision as applied to this weight.

        A table has one palette: its rows are not channels, and a scale for each would take half of its size.
        """
        return precision if self.channels or precision.scheme == "half" else LAYER_PRECISIONS[precision.bits]


def compress(path: Path, precision: Precision, layers: Mapping[str, int]) -> set[str]:
    """Compress the weights of the package at ``path`` in place; return the names of the compressed ones.

    Args:
        path: the package; its fp32 parts (rays and encoding) are not changed.
        precision: the precision of all fp16 weights and tables that become smaller with it.
        layers: bits of single weights, by the names of their constants, applied whether smaller or not.

    Raises:
        NfcoreError: coremltools fails.

    """
    package = Package.read(path)
    all_weights = weights(package)
    chosen = {weight: weight.suited(precision) for weight in all_weights}
    plan = {weight.name: (weight, its) for weight, its in chosen.items() if _shrinks(weight, its)}
    plan |= {
        weight.name: (weight, LAYER_PRECISIONS[layers[weight.name]])
        for weight in all_weights
        if weight.name in layers
    }
    linear = {name: _linear() for name, (_, its) in plan.items() if its.scheme == "linear"}
    by_palette = {name: pair for name, pair in plan.items() if pair[1].scheme == "palette"}
    found = Palettes(_blocks(package, by_palette))
    palettes = {name: _palettes(*pair, found) for name, pair in by_palette.items()}
    for function, configs in ((optimize.linear_quantize_weights, linear), (optimize.palettize_weights, palettes)):
        if not configs:
            continue
        with quiet():
            model = coremltools.models.MLModel(str(path), skip_model_load=True)
            try:
                smaller = function(model, optimize.OptimizationConfig(op_name_configs=configs))
                smaller.save(str(path))
            except Exception as error:
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise nfcore.NfcoreError(f"coremltools can't compress this student: {reason}") from error
            # Otherwise it stays in the system's temporary folder until Python exits.
            shutil.rmtree(smaller.package_path, ignore_errors=True)
    return set(plan)


def weights(package: Package) -> list[Weight]:
    """Return the fp16 weights of a program, and the tables of features that it gathers from.

    A weight is a constant of two axes or more that an op takes as its ``weight``. A table of one column is left
    out: it is geometry, with 8 bits of which a student reached 48 dB; with 6 bits of its features it reached 57.
    """
    takers = {
        operation.inputs[parameter].arguments[0].name: operation.type
        for operation in package.block.operations
        for parameter in ["x" if operation.type == "gather" else "weight"]
        if parameter in operation.inputs
    }
    found = []
    for operation in package.block.operations:
        output = operation.outputs[0]
        if operation.type != "const" or output.name not in takers:
            continue
        declared = Declared.of(output.type)
        if declared.data_type != MIL_pb2.FLOAT16 or len(declared.shape) < 2:
            continue
        taker, shape = takers[output.name], declared.sizes
        if taker == "gather" and shape[-1] > 1:
            found.append(Weight(output.name, shape, None))
        elif taker != "gather":
            found.append(Weight(output.name, shape, OUTPUT_AXIS.get(taker, 0)))
    return found


def _shrinks(weight: Weight, precision: Precision) -> bool:
    """Return whether the weight is smaller at ``precision``: a palette may be larger than a small weight."""
    return weight.bytes(precision) < weight.bytes(PRECISIONS["fp16"])


def _linear() -> OpLinearQuantizerConfig:
    return optimize.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int8", weight_threshold=0)


def _blocks(package: Package, plan: Mapping[str, tuple[Weight, Precision]]) -> Iterator[tuple[np.ndarray, int]]:
    """Yield each block of weights with a palette of its own, and its bits."""
    for operation in package.block.operations:
        weight, precision = plan.get(operation.outputs[0].name, (None, None))
        if weight is not None and precision is not None:
            values = decode(operation.attributes["val"], package.blobs)
            assert isinstance(values, Tensor)
            for block in weight.blocks(values.numpy().astype(np.float16), precision):  # as in the file
                yield block, precision.bits


def _palettes(weight: Weight, precision: Precision, found: Palettes) -> OpPalettizerConfig:
    # coremltools' own k-means uses scikit-learn for weights under 10,000 elements, so for all groups.
    granularity = "per_grouped_channel" if precision.grouped else "per_tensor"
    return optimize.OpPalettizerConfig(
        mode="custom",
        lut_function=functools.partial(found.of, bits=precision.bits),
        granularity=granularity,
        group_size=weight.group,
        weight_threshold=0,
    )
