"""Conversion of a torch module with half and float parts to an ML Program that keeps each tensor's precision."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

import nfcore
from nfcore.exports import Conversions
from nfcore.io import atomic_path
from nfcore_coreml.evaluator import Package
from nfcore_coreml.evaluator.package import MANIFEST
from nfcore_coreml.toolchain import coremltools, quiet

#: coremltools converts a reciprocal to Core ML's ``inverse``, which adds 1e-4 to its argument; division doesn't.
DECOMPOSITIONS = {torch.ops.aten.reciprocal.default: lambda x: torch.ones_like(x) / x}


@dataclass(frozen=True)
class Description:
    """The description in a package: shown by Xcode, readable by an app.

    Args:
        short: one sentence on the model.
        inputs: a sentence for each input, by name.
        outputs: a sentence for each output, by name.
        metadata: user-defined entries.

    """

    short: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    metadata: Mapping[str, str] = field(default_factory=dict)


def convert(
    module: nn.Module,
    example: Mapping[str, Tensor],
    path: Path,
    *,
    target: str,
    description: Description,
    compress: Callable[[Path, Mapping[str, str]], None] | None = None,
    flexible: Mapping[int, tuple[int, int]] | None = None,
) -> None:
    """Write ``module`` as an ML Program to the ``.mlpackage`` at ``path``.

    Each tensor keeps its precision in torch: coremltools is told to change none (which it calls FLOAT32). So the
    module alone decides which part is half, not a list of ops.

    Args:
        module: in eval mode; returns one tensor for one output, a tuple for several.
        example: the inputs by name, in order; their shapes and types become the package's.
        path: the package; must not exist yet.
        target: the oldest system that can run it, a name in ``coremltools.target``.
        description: names the outputs, and describes all.
        compress: compresses the package in place; called with its path, and the module's parameters and buffers
            by the names of their constants in the program.
        flexible: minimum and maximum size, inclusive, of the axes of all inputs whose sizes may vary.

    Raises:
        NfcoreError: an op has no counterpart in Core ML, or coremltools fails on it.

    """
    shapes = [(name, tensor.dtype, tensor.shape) for name, tensor in example.items()]
    settings = repr((shapes, target, list(description.outputs), flexible))
    made = _programs.get(
        module, settings, lambda: _converted(module, example, target, list(description.outputs), flexible or {})
    )
    with atomic_path(path) as temporary:
        for name, content in made.files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
        if compress is not None:
            compress(temporary, made.tensors)
        _describe(Package.read(temporary), description, example)
        _name_entries(temporary / MANIFEST)


@dataclass(frozen=True)
class _Converted:
    """What coremltools made of a module.

    Args:
        files: the package's files by their paths in it.
        tensors: the module's parameters and buffers by the names of their constants in the program.

    """

    files: Mapping[str, bytes]
    tensors: Mapping[str, str]


#: All precisions start from one program.
_programs: Conversions[_Converted] = Conversions()


def _converted(
    module: nn.Module,
    example: Mapping[str, Tensor],
    target: str,
    outputs: Sequence[str],
    flexible: Mapping[int, tuple[int, int]],
) -> _Converted:
    with tempfile.TemporaryDirectory() as folder, quiet(), torch.no_grad():
        package = Path(folder) / "it.mlpackage"
        # The decompositions convert the graph to the ATen dialect: coremltools rejects the training one.
        try:
            graph = torch.export.export(
                module, tuple(example.values()), dynamic_shapes=_dynamic(example, flexible)
            ).run_decompositions(DECOMPOSITIONS)
            coremltools.convert(
                graph,
                convert_to="mlprogram",
                outputs=[coremltools.TensorType(name=name) for name in outputs],
                minimum_deployment_target=coremltools.target[target],
                compute_precision=coremltools.precision.FLOAT32,
                skip_model_load=True,
                # Otherwise coremltools keeps a copy in the system's temporary folder until Python exits.
                package_dir=str(package),
            )
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise nfcore.NfcoreError(f"coremltools can't convert this student: {reason}") from error
        files = {
            file.relative_to(package).as_posix(): file.read_bytes()
            for file in sorted(package.rglob("*"))
            if file.is_file()
        }
    signature = graph.graph_signature
    return _Converted(files, {**signature.inputs_to_parameters, **signature.inputs_to_buffers})


def _dynamic(
    example: Mapping[str, Tensor], flexible: Mapping[int, tuple[int, int]]
) -> tuple[dict[int, Dim], ...] | None:
    """Return torch.export's dynamic shapes: an axis has the same size in all inputs."""
    axes = {axis: Dim(f"axis_{axis}", min=least, max=most) for axis, (least, most) in flexible.items()}
    return tuple(axes for _ in example) if axes else None


def _describe(package: Package, description: Description, example: Mapping[str, Tensor]) -> None:
    """Write ``description`` into the package, deterministically.

    The sizes of ``example`` become the defaults of flexible inputs: coremltools would use the minimum.
    """
    about = package.model.description
    for feature in about.input:
        feature.type.multiArrayType.shape[:] = example[feature.name].shape
    about.metadata.shortDescription = description.short
    for feature in about.input:
        feature.shortDescription = description.inputs[feature.name]
    for feature in about.output:
        feature.shortDescription = description.outputs[feature.name]
    about.metadata.userDefined.update(description.metadata)
    package.model_file.write_bytes(package.model.SerializeToString(deterministic=True))


def _name_entries(manifest: Path) -> None:
    """Name the manifest's entries by their paths: coremltools uses random names, so packages would differ."""
    content = json.loads(manifest.read_text())
    items = content["itemInfoEntries"]
    names = {name: str(uuid.uuid5(uuid.NAMESPACE_URL, item["path"])) for name, item in items.items()}
    content["itemInfoEntries"] = {names[name]: items[name] for name in sorted(items, key=lambda name: names[name])}
    content["rootModelIdentifier"] = names[content["rootModelIdentifier"]]
    manifest.write_text(json.dumps(content, indent=4) + "\n")
