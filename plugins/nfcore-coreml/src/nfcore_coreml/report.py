"""Inspection of a saved package without running it: ops, types, shapes, sizes, and where ops may run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nfcore_coreml.evaluator import Package
from nfcore_coreml.evaluator.constants import CONSTANTS
from nfcore_coreml.evaluator.program import LABELS
from nfcore_coreml.evaluator.values import ELEMENTS, Declared, decode
from nfcore_coreml.neural_engine import NO_LIST, RULES, Operation
from nfcore_coreml.toolchain import MIL_pb2

LIMITS = (
    "from the file only; no iPhone, Mac or Neural Engine was used. Which ops run where depends on device, "
    f"system and sizes, and Apple publishes no list ({NO_LIST}); Xcode's performance report on the device shows it"
)

_SYSTEMS = {7: "iOS 16, macOS 13", 8: "iOS 17, macOS 14", 9: "iOS 18, macOS 15"}

#: Constants with more values than this are weights or tables, not parameters of ops.
_FEW = 16


@dataclass
class _Weights:
    """Constants of one kind."""

    constants: int = 0
    values: int = 0
    bits: int = 0

    def add(self, values: int, bits: int) -> None:
        self.constants += 1
        self.values += values
        self.bits += bits


@dataclass
class _Reading:
    """The program's ops that run, and its constants by kind."""

    operations: list[Operation] = field(default_factory=list)
    weights: dict[str, _Weights] = field(default_factory=dict)


def report(package: Package) -> dict[str, object]:
    """Return the findings as JSON values.

    Raises:
        UserError: the package or its weights are damaged.

    """
    reading = _read(package)
    counts = Counter((operation.op, _types(operation)) for operation in reading.operations)
    sizes = {
        "program": package.model_file.stat().st_size,
        "weights": sum(file.stat().st_size for file in package.model_file.parent.rglob("*.bin")),
    }
    return {
        "system": _SYSTEMS.get(
            package.model.specificationVersion, f"specification {package.model.specificationVersion}"
        ),
        "bytes": sizes,
        "ops": [{"op": op, "result": kind, "count": n} for (op, kind), n in sorted(counts.items())],
        "weights": [
            {"kind": kind, "constants": kept.constants, "values": kept.values, "bytes": -(-kept.bits // 8)}
            for kind, kept in sorted(reading.weights.items(), key=lambda item: -item[1].bits)
        ],
        "flexible_shapes": [given.name for given in package.inputs if None in Declared.of(given.type).shape],
        "neural_engine": list(_findings(reading)),
        "limits": LIMITS,
    }


def _findings(reading: _Reading) -> Iterator[dict[str, object]]:
    for rule in RULES:
        counts = Counter(operation.op for operation in reading.operations if rule.holds(operation))
        if counts:
            ops = dict(sorted(counts.items()))
            yield {"what": rule.what, "ops": ops, "then": rule.then, "sources": list(rule.sources)}


def _read(package: Package) -> _Reading:
    reading = _Reading()
    shapes: dict[str, Declared | None] = {given.name: _declared(given.type) for given in package.inputs}
    constants: dict[str, MIL_pb2.Value] = {}
    owned = _constants_of_weights(package)
    for operation in package.block.operations:
        results = tuple(_declared(output.type) for output in operation.outputs)
        names = [output.name for output in operation.outputs]
        shapes.update(zip(names, results, strict=True))
        if operation.type == "const":
            constants[names[0]] = operation.attributes["val"]
        if operation.type == "const" and names[0] not in owned:
            _add(reading, results[0], _kind(results[0]))
        elif operation.type in CONSTANTS:
            stored = _stored(operation, constants)
            bits = sum(_bits(_declared(value.type)) for value in stored.values())
            _add(reading, results[0], _compression(operation.type, stored), bits)
        elif operation.type != "const":
            parameters = {
                name: decode(value, package.blobs)
                for name, value in _stored(operation, constants).items()
                if _small(value)
            }
            given = {name: shapes.get(argument.arguments[0].name) for name, argument in operation.inputs.items()}
            sizes = {name: declared.shape for name, declared in given.items() if declared is not None}
            reading.operations.append(Operation(operation.type, results, parameters, sizes))
    return reading


def _stored(operation: MIL_pb2.Operation, constants: Mapping[str, MIL_pb2.Value]) -> dict[str, MIL_pb2.Value]:
    """Return the constant parameters of an op, stored in itself or in a constant."""
    stored = {name: value for name, value in operation.attributes.items() if name not in LABELS}
    for name, argument in operation.inputs.items():
        binding = argument.arguments[0]
        if binding.WhichOneof("binding") == "value":
            stored[name] = binding.value
        elif binding.name in constants:
            stored[name] = constants[binding.name]
    return stored


def _constants_of_weights(package: Package) -> set[str]:
    """Return the names of the constants that compressed weights consist of."""
    return {
        binding.name
        for operation in package.block.operations
        if operation.type in CONSTANTS
        for argument in operation.inputs.values()
        for binding in argument.arguments
    }


def _compression(op: str, stored: Mapping[str, MIL_pb2.Value]) -> str:
    """Return how a weight is compressed, in words."""
    if "lut" in stored:
        # One palette (iOS 16), or (..., entries, 1) for each group.
        shape = Declared.of(stored["lut"].type).sizes
        entries, groups = (shape[-2], math.prod(shape[:-2])) if len(shape) > 1 else (shape[0], 1)
        return f"{int(math.log2(entries))}-bit palettes" + (" by group" if groups > 1 else "")
    for name in ("quantized_data", "data"):
        if name in stored:
            return f"{_kind(Declared.of(stored[name].type))} with scales"
    return op.removeprefix("constexpr_").replace("_", " ")


def _add(reading: _Reading, declared: Declared | None, kind: str | None, bits: int | None = None) -> None:
    if kind is None or declared is None or declared.size <= _FEW:
        return
    reading.weights.setdefault(kind, _Weights()).add(declared.size, _bits(declared) if bits is None else bits)


def _kind(declared: Declared | None) -> str | None:
    if declared is None or declared.data_type not in ELEMENTS:
        return None
    name: str = MIL_pb2.DataType.Name(declared.data_type)
    return name.lower().replace("float", "fp")


def _types(operation: Operation) -> str:
    known = [declared for declared in operation.results if declared is not None]
    return MIL_pb2.DataType.Name(known[0].data_type).lower().replace("float", "fp") if known else "no tensor"


def _small(value: MIL_pb2.Value) -> bool:
    declared = _declared(value.type)
    return declared is not None and declared.size <= _FEW


def _bits(declared: Declared | None) -> int:
    if declared is None or declared.data_type not in ELEMENTS:
        return 0
    return declared.size * ELEMENTS[declared.data_type].bits


def _declared(value_type: MIL_pb2.ValueType) -> Declared | None:
    """Return the declared type; None if the value is no tensor."""
    try:
        return Declared.of(value_type)
    except NotImplementedError:
        return None
