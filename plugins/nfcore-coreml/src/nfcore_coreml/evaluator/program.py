"""Runs the main function of an ML Program, op by op."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

import nfcore
from nfcore_coreml.evaluator.constants import CONSTANTS
from nfcore_coreml.evaluator.ops import OPS
from nfcore_coreml.evaluator.package import Package
from nfcore_coreml.evaluator.parameters import Op
from nfcore_coreml.evaluator.values import Declared, Value, decode
from nfcore_coreml.evaluator.weights import BlobStorage
from nfcore_coreml.toolchain import MIL_pb2

#: The parameters that take several values; all others take one.
VARIADIC = frozenset({"values"})

#: Attributes of an op that are not parameters.
LABELS = frozenset({"name"})


@dataclass(frozen=True)
class Step:
    """One op, ready to run.

    Args:
        op: the op's name in MIL.
        compute: the function that computes it.
        arguments: for each parameter the names of its values.
        literals: the values stored in the op itself, under generated names.
        outputs: name and declared type of each result.
        dead: values that no later step needs.

    """

    op: str
    compute: Op
    arguments: dict[str, list[str]]
    literals: dict[str, Value]
    outputs: list[tuple[str, Declared]]
    dead: frozenset[str] = frozenset()

    def run(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return the results by name, rounded to their declared types.

        Raises:
            ValueError: a required value is missing, or a result has another shape than declared.
            Exception: torch raised it for invalid values.

        """
        result = self.compute(**{name: self._argument(name, values) for name in self.arguments})
        results: Sequence[Tensor] = [result] if isinstance(result, Tensor) else result
        held: dict[str, Value] = {}
        for (name, declared), tensor in zip(self.outputs, results, strict=True):
            if not declared.fits(tensor.shape):
                raise ValueError(f"it returns {list(tensor.shape)}, the program declares {declared}")
            held[name] = declared.hold(tensor)
        return held

    def _argument(self, parameter: str, values: Mapping[str, Value]) -> Value | list[Value]:
        found = []
        for name in self.arguments[parameter]:
            if name not in self.literals and name not in values:
                raise ValueError(f"it needs {name!r}, which nothing computes")
            found.append(self.literals[name] if name in self.literals else values[name])
        return found if parameter in VARIADIC else found[0]


class Program:
    """The main function of a package's ML Program.

    Constants are read and decompressed once, here; other values are released after their last use.

    Args:
        package: the package.

    Attributes:
        inputs: declared types of the inputs, by name.
        outputs: names of the outputs.

    Raises:
        UserError: an op is not supported (names it), or the program or a weight file is damaged.

    """

    def __init__(self, package: Package) -> None:
        self._path = package.path
        try:
            self.inputs = {given.name: Declared.of(given.type) for given in package.inputs}
        except NotImplementedError as error:
            raise nfcore.UserError(f"{self._path}: nfcore-coreml's evaluator can't run it: {error}") from error
        self._ranges = package.size_ranges
        self.outputs = list(package.block.outputs)
        self._constants: dict[str, Value] = {}
        steps = []
        for operation in package.block.operations:
            try:
                if operation.type == "const":
                    value = decode(operation.attributes["val"], package.blobs)
                    self._constants[operation.outputs[0].name] = value
                elif operation.type in CONSTANTS:
                    step = _step(operation, CONSTANTS[operation.type], package.blobs)
                    self._constants |= step.run(self._constants)
                elif operation.type in OPS:
                    steps.append(_step(operation, OPS[operation.type], package.blobs))
                else:
                    raise NotImplementedError("it is not supported")
            except nfcore.UserError:
                raise
            except Exception as error:
                raise self._refused(
                    operation.type, [output.name for output in operation.outputs], error
                ) from error
        self._steps = _freeing(steps, keep=self.outputs)

    @torch.no_grad()
    def __call__(self, **inputs: Tensor) -> dict[str, Tensor]:
        """Run the program once.

        Args:
            inputs: a tensor of the declared shape for each input.

        Returns:
            The outputs by name; fp16 ones as float32 tensors of fp16 numbers.

        Raises:
            UserError: inputs of other names or shapes than declared, or an op fails.

        """
        if not self._takes(inputs):
            wanted = ", ".join(f"{name}: {declared}" for name, declared in self.inputs.items())
            given = ", ".join(f"{name}: {list(tensor.shape)}" for name, tensor in inputs.items())
            raise nfcore.UserError(f"{self._path}: takes inputs {wanted}, not {given}")
        values = dict(self._constants)
        values |= {name: self.inputs[name].hold(tensor) for name, tensor in inputs.items()}
        for step in self._steps:
            try:
                values |= step.run(values)
            except Exception as error:
                raise self._refused(step.op, [name for name, _ in step.outputs], error) from error
            for name in step.dead:
                values.pop(name, None)
        results = {name: value for name in self.outputs if isinstance(value := values.get(name), Tensor)}
        missing = [name for name in self.outputs if name not in results]
        if missing:
            raise nfcore.UserError(f"{self._path}: damaged Core ML package: nothing computes {missing[0]!r}")
        return results

    def _takes(self, inputs: Mapping[str, Tensor]) -> bool:
        return inputs.keys() == self.inputs.keys() and all(
            self.inputs[name].fits(tensor.shape)
            and all(
                least <= size <= most
                for size, (least, most) in zip(tensor.shape, self._ranges.get(name, []), strict=False)
            )
            for name, tensor in inputs.items()
        )

    def _refused(self, op: str, outputs: Sequence[str], error: Exception) -> nfcore.UserError:
        """Return the error that names the package, the op and the reason."""
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return nfcore.UserError(
            f"{self._path}: nfcore-coreml's evaluator can't run the op {op!r} ({', '.join(outputs)}): {reason}"
        )


def _step(operation: MIL_pb2.Operation, compute: Op, blobs: BlobStorage) -> Step:
    """Return ``operation`` ready to run; constants written into its arguments are read now.

    Raises:
        ValueError: a parameter is unknown, missing, or has several values where it takes one.

    """
    outputs = [(output.name, Declared.of(output.type)) for output in operation.outputs]
    arguments: dict[str, list[str]] = {}
    literals: dict[str, Value] = {}

    def literal(label: str, value: MIL_pb2.Value) -> str:
        name = f"<{label}>"  # never the name of a value: those are identifiers
        literals[name] = decode(value, blobs)
        return name

    for parameter, argument in operation.inputs.items():
        arguments[parameter] = [
            binding.name if binding.WhichOneof("binding") == "name" else literal(f"{parameter}{i}", binding.value)
            for i, binding in enumerate(argument.arguments)
        ]
    for parameter, value in operation.attributes.items():
        if parameter not in LABELS:
            arguments[parameter] = [literal(parameter, value)]
    _check_parameters(arguments, inspect.signature(compute).parameters)
    return Step(operation.type, compute, arguments, literals, outputs)


def _check_parameters(arguments: Mapping[str, list[str]], known: Mapping[str, inspect.Parameter]) -> None:
    for name, values in arguments.items():
        if name not in known:
            raise ValueError(f"its parameter {name!r} is not supported")
        if len(values) != 1 and name not in VARIADIC:
            raise ValueError(f"its parameter {name!r} takes one value, not {len(values)}")
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in arguments:
            raise ValueError(f"its parameter {name!r} is missing")


def _freeing(steps: list[Step], keep: Sequence[str]) -> list[Step]:
    """Return the steps, each with the values that are not used after it."""
    freeing = []
    needed = set(keep)
    for step in reversed(steps):
        touched = {name for names in step.arguments.values() for name in names} | {
            name for name, _ in step.outputs
        }
        freeing.append(replace(step, dead=frozenset(touched - needed)))
        needed |= touched
    return freeing[::-1]
