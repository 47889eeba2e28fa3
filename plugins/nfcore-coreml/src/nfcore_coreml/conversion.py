"""A torch module with half and float parts to an ML Program that keeps each tensor's precision."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from nfcore_coreml.toolchain import coremltools, quiet

# coremltools writes the day of the conversion here; without it the same student gives the same program any day.
_CONVERSION_DATE = "com.github.apple.coremltools.conversion_date"


@dataclass(frozen=True)
class Description:
    """What a package says about itself: shown by Xcode, readable by an app.

    Args:
        short: one sentence on the whole model.
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
) -> None:
    """Write ``module`` as an ML Program of fixed shapes to the ``.mlpackage`` at ``path``.

    Each tensor has the precision that it has in torch: coremltools is told to change none (FLOAT32 is its name for
    that). Which part is half is thus written once, in the module, and no list of ops can draw the line elsewhere.

    Args:
        module: in eval mode; returns one tensor for one output, a tuple for several.
        example: the inputs by name, in order; their shapes and types become the package's.
        path: the package, not there yet.
        target: the oldest system that can run it, a name in ``coremltools.target``.
        description: names the outputs, and describes all.

    """
    with torch.no_grad():
        # The decompositions bring the graph to the ATen dialect: coremltools refuses the training one.
        graph = torch.export.export(module, tuple(example.values())).run_decompositions({})
    outputs = [coremltools.TensorType(name=name) for name in description.outputs]
    with quiet(), tempfile.TemporaryDirectory() as folder:
        model = coremltools.convert(
            graph,
            convert_to="mlprogram",
            outputs=outputs,
            minimum_deployment_target=coremltools.target[target],
            compute_precision=coremltools.precision.FLOAT32,
            skip_model_load=True,
            # Said explicitly, or coremltools keeps a copy in the system's temporary folder until Python exits.
            package_dir=str(Path(folder) / path.name),
        )
        _describe(model, description)
        model.save(str(path))


def _describe(model: coremltools.models.MLModel, description: Description) -> None:
    model.short_description = description.short
    for name, text in description.inputs.items():
        model.input_description[name] = text
    for name, text in description.outputs.items():
        model.output_description[name] = text
    model.user_defined_metadata.pop(_CONVERSION_DATE)
    model.user_defined_metadata.update(description.metadata)
