"""Rules on ops that reportedly don't run on the Neural Engine, or differ there, with their sources.

Apple publishes no list: "there is no static documentation, as it changes based on device generation, operating
system version, tensor sizes etc." (an engineer of Core ML, apple/coremltools#1780). So these are
public statements and measurements by others, none by us: no Apple device was used. Only Xcode's performance report
on the device shows where the ops of a program run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from nfcore_coreml.evaluator.values import Declared, Value
from nfcore_coreml.toolchain import MIL_pb2

#: The statement that there is no list.
NO_LIST = "https://github.com/apple/coremltools/issues/1780"


class Operation(NamedTuple):
    """An op, as rules see it.

    Args:
        op: its name in MIL.
        results: the declared types of its results; None for one that is no tensor.
        parameters: its constant parameters, by name.
        shapes: the shapes of its other arguments, by the parameter's name.

    """

    op: str
    results: tuple[Declared | None, ...]
    parameters: dict[str, Value]
    shapes: dict[str, tuple[int | None, ...]]

    @property
    def flexible(self) -> bool:
        """Whether a result has a size that is known only when the program runs."""
        return any(result is not None and None in result.shape for result in self.results)


@dataclass(frozen=True)
class Rule:
    """One rule.

    Args:
        what: the ops that it applies to.
        then: what Core ML does with them.
        sources: addresses of the statements.
        holds: whether it applies to an op.

    """

    what: str
    then: str
    sources: tuple[str, ...]
    holds: Callable[[Operation], bool]


def _named(*names: str) -> Callable[[Operation], bool]:
    return lambda operation: operation.op in names


def _float32(operation: Operation) -> bool:
    return any(result is not None and result.data_type == MIL_pb2.FLOAT32 for result in operation.results)


def _gathers(operation: Operation) -> bool:
    floats = (MIL_pb2.FLOAT16, MIL_pb2.FLOAT32)  # gathers of integers compute flexible shapes
    return operation.op.startswith("gather") and any(
        r is not None and r.data_type in floats for r in operation.results
    )


def _flexible(operation: Operation) -> bool:
    return operation.flexible


def _dilated(operation: Operation) -> bool:
    return operation.op.startswith("conv") and _greatest(operation, "dilations") > 1


def _far_apart(operation: Operation) -> bool:
    return operation.op == "conv_transpose" and _greatest(operation, "strides") >= 16


def _cropped_unevenly(operation: Operation) -> bool:
    """Return whether a transposed convolution's result is cropped by different amounts on the two sides."""
    if operation.op != "conv_transpose":
        return False
    pads = _numbers(operation, "pad")
    if pads[::2] != pads[1::2]:
        return True
    wanted = _numbers(operation, "output_shape")[2:]
    given, kernel = _known_sides(operation, "x"), _known_sides(operation, "weight")
    if given is None or kernel is None:
        return False
    strides = _numbers(operation, "strides") or [1] * len(given)
    dilations = _numbers(operation, "dilations") or [1] * len(given)
    pads = pads or [0] * 2 * len(given)
    natural = [
        (size - 1) * stride + dilation * (width - 1) + 1 - 2 * pad
        for size, stride, dilation, width, pad in zip(given, strides, dilations, kernel, pads[::2], strict=False)
    ]
    return bool(wanted) and natural != wanted


def _known_sides(operation: Operation, parameter: str) -> list[int] | None:
    """Return the spatial sizes; None if one is known only when the program runs."""
    sides = operation.shapes.get(parameter, ())[2:]
    known = [side for side in sides if side is not None]
    return known if len(known) == len(sides) else None


def _numbers(operation: Operation, parameter: str) -> list[int]:
    value = operation.parameters.get(parameter)
    return [] if value is None or isinstance(value, str) else [int(number) for number in value.flatten()]


def _greatest(operation: Operation, parameter: str) -> int:
    return max(_numbers(operation, parameter), default=1)


RULES = (
    Rule(
        "ops whose results are fp32",
        "they run on the GPU or the CPU: only what is typed fp16 is eligible for the Neural Engine",
        ("https://apple.github.io/coremltools/docs-guides/source/typed-execution-example.html",),
        _float32,
    ),
    Rule(
        "ops of a flexible shape",
        "with a range of sizes the Neural Engine runs only the default size, the GPU or the CPU all others",
        ("https://developer.apple.com/forums/thread/724930",),
        _flexible,
    ),
    Rule(
        "resample (grid_sample)",
        "it was seen to run on the CPU, on macOS 13 to 15",
        ("https://github.com/apple/coremltools/issues/1875", "https://github.com/apple/coremltools/issues/2299"),
        _named("resample"),
    ),
    Rule(
        "gathers from tables",
        "they were seen to run on the CPU",
        (
            "https://github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md",
            "https://github.com/apple/coremltools/issues/1103",
            "https://github.com/roboflow/rf-detr/pull/1495",
        ),
        _gathers,
    ),
    Rule(
        "topk",
        "it was measured to run on the CPU (MLComputePlan, M3 Pro)",
        ("https://github.com/roboflow/rf-detr/pull/1495",),
        _named("topk"),
    ),
    Rule(
        "recurrent layers",
        "the Neural Engine does not support them; they run on the CPU",
        ("https://github.com/apple/coremltools/issues/1780", "https://github.com/apple/coremltools/issues/337"),
        _named("gru", "lstm", "rnn"),
    ),
    Rule(
        "dilated convolutions",
        "they were seen to run on the GPU or the CPU; the source calls some of its entries guesses",
        ("https://github.com/hollance/neural-engine/blob/master/docs/unsupported-layers.md",),
        _dilated,
    ),
    Rule(
        "transposed convolutions with a stride of 16 or more",
        "the model was seen to fail while it is loaded for the Neural Engine",
        ("https://github.com/apple/coremltools/issues/2450",),
        _far_apart,
    ),
    Rule(
        "transposed convolutions cropped unevenly (output padding)",
        "the CPU and the other units were seen to give shifted results, not the same",
        ("https://github.com/apple/coremltools/issues/2281", "https://github.com/apple/coremltools/issues/2324"),
        _cropped_unevenly,
    ),
)
