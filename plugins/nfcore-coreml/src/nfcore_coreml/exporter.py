"""The exporter: a student to one or two ``.mlpackage``s, and a way to run them on any platform."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

import nfcore
from nfcore_coreml.conversion import Description, convert
from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.toolchain import coremltools, quiet

if TYPE_CHECKING:
    from nfcore.light_field import LightField

#: The package of an export as one program.
PACKAGE = "light_field.mlpackage"
#: The packages of a split export: from camera to the features of the rays, and from these to the image.
RAYS, NETWORK = "rays.mlpackage", "network.mlpackage"

#: What Core ML's programs can do: no op of theirs samples volumes.
TARGET = nfcore.Target(volumes=False, half=True)

_SYSTEMS = {"iOS16": "iOS 16 and macOS 13", "iOS17": "iOS 17 and macOS 14", "iOS18": "iOS 18 and macOS 15"}

#: The first macOS that runs a package of each specification version (7: iOS 16, 8: iOS 17, 9: iOS 18).
_FIRST_MACOS = {7: 13, 8: 14, 9: 15}


class CoreML(nfcore.Exporter):
    """An fp16 ML Program of one fixed image size, with rays and encoding in fp32; or two programs.

    The package takes ``pose`` (1, 3, 4), ``intrinsics`` (1, 4) and gives ``image`` (1, 3, H, W), all fp32. Split,
    ``rays.mlpackage`` gives fp16 ``features`` of the rays and ``network.mlpackage`` takes them: the second is what
    the Neural Engine is made for, the first may gather from tables, which runs on the CPU.
    Fixed shapes are far faster on the Neural Engine than flexible ones. Rays in fp16 would cost 24 dB against
    torch: one part in 2048 of a coordinate is a visible shift once an octave of the encoding multiplies it by 32.

    Args:
        options: an instance of this class's ``Options``.

    """

    class Options(nfcore.Options):
        """Options of the Core ML exporter."""

        minimum_target: Literal["iOS16", "iOS17", "iOS18"] = Field(
            "iOS16", description="Oldest system that shall run the package; iOS16 is also macOS 13, and so on"
        )
        form: Literal["single", "split"] = Field(
            "single", description="One program, or two: camera to features of the rays, and features to image"
        )

    options: Options

    @property
    def parity_floor(self) -> nfcore.ParityFloor:
        """70 dB against torch: fp16 rounding alone leaves about 77, a wrong op far less than 70."""
        return nfcore.ParityFloor(psnr=70)

    def export(self, student: LightField, folder: Path) -> nfcore.Exported:
        """Write ``light_field.mlpackage``, or ``rays.mlpackage`` and ``network.mlpackage``, into ``folder``.

        Raises:
            NfcoreError: coremltools can't convert an op of the student; says what it says.

        """
        camera = student.cameras[0].to("cpu")
        given = {"pose": camera.poses.float(), "intrinsics": camera.intrinsics.float()}
        deployed = nfcore.DeployedLightField(student, half_network=True, target=TARGET)
        parts: dict[str, tuple[nn.Module, dict[str, Tensor], str]] = {PACKAGE: (deployed, given, "image")}
        if self.options.form == "split":
            features = {"features": deployed.rays(*given.values())}
            parts = {RAYS: (deployed.rays, given, "features"), NETWORK: (deployed.image, features, "image")}
        for file, (module, example, output) in parts.items():
            convert(
                module,
                example,
                folder / file,
                target=self.options.minimum_target,
                description=_description(student, list(example), output),
            )
        image = nfcore.image_port(student.cameras.height, student.cameras.width, 1)
        files: tuple[nfcore.ExportedFile, ...] = (nfcore.ExportedFile(PACKAGE, nfcore.camera_ports(1), (image,)),)
        if self.options.form == "split":
            between = nfcore.features_port(tuple(features["features"].shape), "float16")
            files = (
                nfcore.ExportedFile(RAYS, nfcore.camera_ports(1), (between,)),
                nfcore.ExportedFile(NETWORK, (between,), (image,)),
            )
        return nfcore.Exported(
            files,
            precision="fp16",
            target=f"Core ML, {_SYSTEMS[self.options.minimum_target]} or later",
            unverified=("what the Neural Engine's own arithmetic makes of it: no Apple device was used",),
        )

    def load(self, folder: Path, threads: int | None = None) -> nfcore.Runner:
        """Return a runner of what was saved: Core ML itself on macOS, this plugin's evaluator elsewhere.

        Raises:
            UserError: a package is missing or damaged.

        """
        split = not (folder / PACKAGE).exists() and (folder / RAYS).exists()
        packages = [Package.read(folder / file) for file in ((RAYS, NETWORK) if split else (PACKAGE,))]
        if all(_runs_here(package) for package in packages):
            return _core_ml_runner(packages)
        return _evaluator_runner(packages)


def _description(student: LightField, inputs: list[str], output: str) -> Description:
    """Return what a package with these inputs and this output says about itself."""
    height, width = student.cameras.height, student.cameras.width
    camera = student.cameras[0].to("cpu")
    texts = {
        "pose": "Camera to world, 3 x 4, row-major: rotation and position; OpenGL axes (x right, y up, "
        "the camera looks down -z); position in scene units",
        "intrinsics": f"fx, fy, cx, cy in pixels of the {width} x {height} image; pixel centres at +0.5",
        "features": "Features of the rays, one for each block of pixels, top row first",
        "image": f"RGB in [0, 1], 3 x {height} x {width}, top row first",
    }
    whole = f"Neural light field: a camera to an image of {width} x {height} pixels"
    part = {"features": ", first half: to the features of its rays"}.get(output, "")
    if "features" in inputs:
        part = ", second half: from the features of its rays"
    return Description(
        short=whole + part,
        inputs={name: texts[name] for name in inputs},
        outputs={output: texts[output]},
        metadata={
            "nfcore.axes": "camera to world, OpenGL: x right, y up, camera looks down -z; right-handed world",
            "nfcore.units": "scene units: those of the data set that the student was trained on",
            "nfcore.height": str(height),
            "nfcore.width": str(width),
            "nfcore.pixels_per_ray": str(student.scale),
            "nfcore.scene": student.scene.model_dump_json(),
            "nfcore.converter": f"coremltools {coremltools.__version__}, torch {torch.__version__}",
            "nfcore.start_pose": json.dumps(camera.poses[0].tolist()),
            "nfcore.start_intrinsics": json.dumps(camera.intrinsics[0].tolist()),
        },
    )


def _runs_here(package: Package) -> bool:
    first = _FIRST_MACOS.get(package.model.specificationVersion)
    macos = platform.mac_ver()[0]
    return bool(macos) and first is not None and int(macos.split(".")[0]) >= first


def _core_ml_runner(packages: list[Package]) -> nfcore.Runner:
    with quiet():
        models = [coremltools.models.MLModel(str(package.path)) for package in packages]

    def image(pose: Tensor, intrinsics: Tensor) -> Tensor:
        values = {"pose": pose.numpy(), "intrinsics": intrinsics.numpy()}
        for model in models:
            values = model.predict(values)
        return torch.from_numpy(values["image"])

    verified_by = f"Core ML (coremltools {coremltools.__version__}) on macOS {platform.mac_ver()[0]}"
    return nfcore.Runner(verified_by, _one_by_one(image))


def _evaluator_runner(packages: list[Package]) -> nfcore.Runner:
    programs = [Program(package) for package in packages]

    def image(pose: Tensor, intrinsics: Tensor) -> Tensor:
        values = {"pose": pose, "intrinsics": intrinsics}
        for program in programs:
            values = program(**values)
        return values["image"]

    return nfcore.Runner(
        "nfcore-coreml's evaluator (op by op, fp16 rounding; not the Neural Engine)", _one_by_one(image)
    )


def _one_by_one(image: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a renderer of any number of views from one of single views: the package has a fixed batch of 1."""

    def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
        poses, intrinsics = poses.detach().cpu().float(), intrinsics.detach().cpu().float()
        views = zip(poses.split(1), intrinsics.split(1), strict=True)
        return torch.cat([image(pose, k).float() for pose, k in views])

    return render
