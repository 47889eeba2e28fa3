"""The forms of an export: its packages, with inputs, outputs and descriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from torch import Tensor, nn

import nfcore
from nfcore_coreml.conversion import Description
from nfcore_coreml.toolchain import coremltools

if TYPE_CHECKING:
    from nfcore import LightField

Form: TypeAlias = Literal["single", "split", "rays"]

#: The package of an export as one program.
PACKAGE = "light_field.mlpackage"
#: The packages of a split export: from camera to the features of the rays, and from these to the image.
RAYS, NETWORK = "rays.mlpackage", "network.mlpackage"
#: The package of an export that takes rays.
OF_RAYS = "light_field_of_rays.mlpackage"

#: The capabilities of Core ML's programs: no op samples volumes.
TARGET = nfcore.Target(volumes=False, half=True)


@dataclass(frozen=True)
class Part:
    """One package of an export.

    Args:
        file: its inputs and outputs, and its name in the export's folder.
        module: the module that it computes.
        example: its inputs, in order.
        about: a sentence on the package.
        flexible: minimum and maximum size of the axes of inputs that may vary.

    """

    file: nfcore.ExportedFile
    module: nn.Module
    example: tuple[Tensor, ...]
    about: str
    flexible: Mapping[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, Tensor]:
        """The example inputs by name."""
        return {port.name: tensor for port, tensor in zip(self.file.inputs, self.example, strict=True)}

    def description(self, student: LightField) -> Description:
        """Return the package's description."""
        return Description(
            short=self.about,
            inputs={port.name: port.meaning for port in self.file.inputs},
            outputs={port.name: port.meaning for port in self.file.outputs},
            metadata=_metadata(student),
        )


def parts(student: LightField, form: Form, ray_counts: tuple[int, int] | None = None) -> list[Part]:
    """Return the packages of an export in the order in which they run, the network in fp16.

    Args:
        student: the student to export.
        form: the form.
        ray_counts: minimum and maximum rays along each side, for the form ``rays``; None for its own grid.

    """
    cameras = student.cameras
    camera = cameras[0].to("cpu")
    given = (camera.poses.float(), camera.intrinsics.float())
    deployed = nfcore.DeployedLightField(student, half_network=True, target=TARGET)
    pose, image = nfcore.camera_ports(1), nfcore.image_port(cameras.height, cameras.width, 1)
    size = f"an image of {cameras.width} x {cameras.height} pixels"
    if form == "split":
        features = deployed.rays(*given)
        between = nfcore.features_port(tuple(features.shape), "float16")
        return [
            Part(
                nfcore.ExportedFile(RAYS, pose, (between,)),
                deployed.rays,
                given,
                "First half of a neural light field: a camera to the features of its rays",
            ),
            Part(
                nfcore.ExportedFile(NETWORK, (between,), (image,)),
                deployed.image,
                (features,),
                f"Second half of a neural light field: the features of rays to {size}",
            ),
        ]
    if form == "rays":
        rays = tuple(
            ray.contiguous() for ray in nfcore.ray_grid(*given, cameras.height, cameras.width, student.scale)
        )
        if ray_counts is None:
            file = nfcore.ExportedFile(OF_RAYS, nfcore.ray_ports(*student.grid, 1), (image,))
            about = f"Neural light field: {student.grid[1]} x {student.grid[0]} rays to {size}"
            return [Part(file, deployed.of_rays, rays, about)]
        ports = nfcore.ray_ports("rows", "columns", 1), nfcore.image_port("height", "width", 1)
        about = f"Neural light field: rays to an image with {student.scale} x {student.scale} pixels for each"
        file = nfcore.ExportedFile(OF_RAYS, ports[0], (ports[1],))
        return [Part(file, deployed.of_rays, rays, about, {2: ray_counts, 3: ray_counts})]
    file = nfcore.ExportedFile(PACKAGE, pose, (image,))
    return [Part(file, deployed, given, f"Neural light field: a camera to {size}")]


def layer(tensor: str) -> str | None:
    """Return the student's name of the layer that a parameter or buffer of a part belongs to.

    ``image.network.0.head.0.weight`` belongs to ``backbone.head.0``, ``rays.encoding.features.table`` to
    ``encoding.features``; None for others.
    """
    names = tensor.rpartition(".")[0].removeprefix("image.").removeprefix("rays.").split(".")
    if names[0] == "network":
        names = [("backbone", "upsampler")[int(names[1])], *names[2:]]
    return ".".join(names) if names[0] else None


def layers(written: list[Part]) -> list[str]:
    """Return the student's names of all layers with fp16 weights or tables, which can have bits of their own."""
    tensors = ((*part.module.named_parameters(), *part.module.named_buffers()) for part in written)
    names = (layer(name) for name, tensor in chain(*tensors) if tensor.dim() > 1 and tensor.dtype == torch.float16)
    return list(dict.fromkeys(filter(None, names)))


def _metadata(student: LightField) -> dict[str, str]:
    camera = student.cameras[0].to("cpu")
    return {
        "nfcore.axes": "camera to world, OpenGL: x right, y up, camera looks down -z; right-handed world",
        "nfcore.units": "scene units: those of the data set that the student was trained on",
        "nfcore.height": str(student.cameras.height),
        "nfcore.width": str(student.cameras.width),
        "nfcore.pixels_per_ray": str(student.scale),
        "nfcore.scene.bounds": student.scene.model_dump_json(),
        "nfcore.converter": f"coremltools {coremltools.__version__}, torch {torch.__version__}",
        "nfcore.start_pose": json.dumps(camera.poses[0].tolist()),
        "nfcore.start_intrinsics": json.dumps(camera.intrinsics[0].tolist()),
    }
