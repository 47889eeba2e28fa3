"""The ONNX exporter: pose and intrinsics in, RGB out, as one graph or as two halves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar, Literal

import onnx
import onnxruntime
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

import nfcore
from nfcore import (
    Cameras,
    DeployedLightField,
    Exported,
    ExportedFile,
    LightField,
    ParityFloor,
    Runner,
    Target,
    UserError,
    camera_ports,
    features_port,
    image_port,
)
from nfcore.metrics import psnr
from nfcore_onnx.activations import novel_cameras, quantized
from nfcore_onnx.allotment import allot
from nfcore_onnx.graph import convert, describe, first_line, strip
from nfcore_onnx.weights import Layer, layers, rounded, store

#: The file of an export as one graph.
FILE = "light_field.onnx"
#: The files of a split export: from camera to the features of the rays, and from these to the image.
RAYS, NETWORK = "rays.onnx", "network.onnx"

#: What goes into each file and what comes out of it, by name.
TENSORS = {
    FILE: (("pose", "intrinsics"), ("image",)),
    RAYS: (("pose", "intrinsics"), ("features",)),
    NETWORK: (("features",), ("image",)),
}
TEXTS = {
    FILE: "A neural light field: camera in, {image} image out.",
    RAYS: "The first half of a neural light field: camera in, features of its rays out.",
    NETWORK: "The second half of a neural light field: features of its rays in, {image} image out.",
}

#: From this operator set on GridSample takes volumes.
_VOLUMES_SINCE = 20

#: Novel poses at which the ranges of activations are measured, and at which their loss is.
_CALIBRATION, _TRIAL = 8, 4

#: What precisions are called in reports.
_CALLED = {"int8": "int8 weights", "w8a8": "W8A8"}


@dataclass(frozen=True)
class _Part:
    """What becomes one file: a module, and an example of what goes in for a batch of two cameras."""

    file: ExportedFile
    module: nn.Module
    example: tuple[Tensor, ...]


class ONNX(nfcore.Exporter):
    """From camera to image; the batch is free, the image size is the student's.

    One graph in one file, or two halves: ``rays.onnx`` computes the features of the rays, ``network.onnx`` the
    image from them. The second has only what the network is made of, which for a plain one any accelerator runs;
    the first can run on the CPU beside it, or be written anew in a shader.

    Inputs, output and ray arithmetic are fp32 in all precisions:

    - fp16 halves weights and network, so the file is half as large. A runtime that has no fp16 arithmetic, such as
      ONNX Runtime on a CPU, converts as it goes and gains no speed.
    - int8 stores weights in 8 bits, symmetric per output channel, and computes in fp32: runtimes widen them when
      they load the file. Layers and tables that do not bear it are stored in fp16.
    - w8a8 computes the network in 8 bits. It loses visibly; the report says how much at poses that it was not
      calibrated with.
    """

    class Options(nfcore.Options):
        """Options of the ONNX exporter."""

        precision: Literal["fp32", "fp16", "int8", "w8a8"] = Field(
            "fp32",
            description="Of weights and network; int8 stores the weights in 8 bits and computes in fp32, w8a8 "
            "computes in 8 bits, which is quicker on some CPUs and loses visibly",
        )
        form: Literal["single", "split"] = Field(
            "single", description="One graph, or two: camera to features of the rays, and features to image"
        )
        opset: int = Field(
            20,
            ge=18,
            le=23,
            description="ONNX operator set; from 20 on GELU is one node, about 23% faster in ONNX Runtime, and "
            "GridSample takes volumes, which gathers stand in for before",
        )
        bits: dict[str, Literal[8, 16]] = Field(
            {},
            description="With int8: bits of single layers and tables by their names in the student, such as "
            "backbone.head.0; the others get 8 or 16 by what rounding them does to the image",
        )

        @model_validator(mode="after")
        def _bits_need_int8(self) -> ONNX.Options:
            if self.bits and self.precision != "int8":
                raise ValueError(f"bits of single layers are for precision int8, not {self.precision}")
            return self

    options: Options
    bits: ClassVar[tuple[int, ...]] = (8, 16)

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Return the precisions that differ in size; w8a8 is as large as int8 and loses more."""
        return tuple({"precision": precision} for precision in ("fp32", "fp16", "int8"))

    def rounded(self, weight: Tensor, bits: int) -> Tensor:
        """Return what 8 or 16 bits leave of a layer's weight."""
        return rounded(weight, bits)

    @property
    def parity_floor(self) -> ParityFloor:
        """What rounding leaves, and a wrong graph does not.

        fp32: 1e-4 and 80 dB. fp16: 70 dB, ten bits of mantissa through 60 layers. int8: 50 dB. w8a8: 30 dB; 31 to
        45 are what students get.
        """
        if self.options.precision == "fp32":
            return ParityFloor(psnr=80, max_error=1e-4)
        return ParityFloor(psnr={"fp16": 70, "int8": 50, "w8a8": 30}[self.options.precision])

    def export(self, student: LightField, folder: Path) -> Exported:
        """Write ``light_field.onnx``, or ``rays.onnx`` and ``network.onnx``; the same student, the same bytes.

        Raises:
            NfcoreError: a part of the student can't be expressed in ONNX; names the reason.
            UserError: ``bits`` names a layer that the student does not have.

        """
        precision, opset = self.options.precision, self.options.opset
        half = precision == "fp16"
        target = Target(volumes=opset >= _VOLUMES_SINCE, half=half)
        deployed = DeployedLightField(student, half_network=half, target=target)
        stored = layers(deployed)
        bits = self._bits(deployed, student, stored)
        in_eight_bits = 0
        parts = self._parts(deployed, student.cameras.to("cpu"))
        for part in parts:
            model = convert(part.module, part.example, part.file, opset)
            if precision == "w8a8":
                model, count = quantized(model, stored, _calibration(deployed, student, part.file))
                strip(model)
                in_eight_bits += count
            store(model, stored, bits)
            describe(model, part.file, _text(student, part.file), _notes(student, precision))
            onnx.checker.check_model(model, full_check=True)
            (folder / part.file.name).write_bytes(model.SerializeToString(deterministic=True))
        report: dict[str, object] = {}
        if precision == "int8":
            report = {
                "layers and tables in int8": sum(b == 8 for b in bits.values()),
                "layers and tables in fp16": [name for name, b in bits.items() if b == 16],
            }
        elif precision == "w8a8":
            report = {"layers in 8 bits": in_eight_bits, **self._loss(student, folder)}
        return Exported(
            tuple(part.file for part in parts),
            precision=_CALLED.get(precision, precision),
            target=f"ONNX opset {opset}",
            report=report,
        )

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the file or the two files in ``folder`` into ONNX Runtime on the CPU.

        Raises:
            UserError: a file is missing, damaged or not from this exporter.

        """
        split = not (folder / FILE).is_file() and (folder / RAYS).is_file()
        sessions = [_load(folder / file, threads) for file in ((RAYS, NETWORK) if split else (FILE,))]

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            values = {"pose": poses.numpy(force=True), "intrinsics": intrinsics.numpy(force=True)}
            for session in sessions:
                (output,) = session.get_outputs()
                values = {output.name: session.run(None, values)[0]}
            return torch.from_numpy(values["image"])

        return Runner(f"ONNX Runtime {onnxruntime.__version__} (CPU)", render)

    def _parts(self, deployed: DeployedLightField, cameras: Cameras) -> list[_Part]:
        """Return what becomes the files, in the order in which they run."""
        # An example batch of one would make torch.export take the batch for a constant.
        example = cameras[[0, 0]]
        camera = (example.poses, example.intrinsics)
        if self.options.form == "single":
            return [_Part(ExportedFile.camera_to_image(FILE, cameras), deployed, camera)]
        features: Tensor = deployed.rays(*camera)
        dtype = str(features.dtype).removeprefix("torch.")
        between = features_port(("batch", *features.shape[1:]), dtype)
        image = image_port(cameras.height, cameras.width)
        return [
            _Part(ExportedFile(RAYS, camera_ports(), (between,)), deployed.rays, camera),
            _Part(ExportedFile(NETWORK, (between,), (image,)), deployed.image, (features,)),
        ]

    def _bits(self, deployed: DeployedLightField, student: LightField, stored: Sequence[Layer]) -> dict[str, int]:
        """Return in how many bits each layer and table is stored; none of those that stay as they are."""
        if self.options.precision == "int8":
            unknown = sorted(set(self.options.bits) - {layer.name for layer in stored})
            if unknown:
                known = ", ".join(layer.name for layer in stored[:4])
                raise UserError(f"bits: the student has no layer {unknown[0]!r}; its layers are {known}, ...")
            return allot(deployed, student, stored, self.options.bits)
        if self.options.precision == "w8a8":
            return {layer.name: 16 for layer in stored}
        return {}

    def _loss(self, student: LightField, folder: Path) -> dict[str, object]:
        """Return what the files lose against torch, at novel poses that they were not calibrated with."""
        cameras = novel_cameras(student, _TRIAL, seed=1)
        images = self.load(folder).render(cameras.poses, cameras.intrinsics)
        return {
            "ranges of activations": f"MinMax at {_CALIBRATION} novel poses",
            "least PSNR against torch at other novel poses, dB": round(
                float(psnr(images, student.render(cameras)).min()), 2
            ),
        }


def _calibration(
    deployed: DeployedLightField, student: LightField, file: ExportedFile
) -> Iterator[dict[str, Tensor]]:
    """Yield what goes into a file at novel poses, one at a time."""
    cameras = novel_cameras(student, _CALIBRATION, seed=0)
    for index in range(len(cameras)):
        camera = cameras[index]
        values = {"pose": camera.poses, "intrinsics": camera.intrinsics}
        if file.name == NETWORK:
            values = {"features": deployed.rays(*values.values())}
        yield values


def _load(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """Return a session of one file, or raise a UserError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: all cores
    if not path.is_file():
        raise UserError(f"{path}: no such file; export the student to get it")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common base for what it raises on loading
        reason = first_line(error).rpartition("failed:")[2]
        raise UserError(f"{path}: damaged, ONNX Runtime can't load it: {reason}") from None
    names = [value.name for value in (*session.get_inputs(), *session.get_outputs())]
    expected = [name for side in TENSORS[path.name] for name in side]
    if names != expected:
        raise UserError(f"{path}: not a light field: it has {', '.join(names)}, not {', '.join(expected)}")
    return session


def _text(student: LightField, file: ExportedFile) -> str:
    return TEXTS[file.name].format(image=f"{student.cameras.width}x{student.cameras.height}")


def _notes(student: LightField, precision: str) -> dict[str, str]:
    """Return what a file says about itself, by name."""
    return {
        "nfcore_version": version("neural-field-core"),
        "precision": precision,
        "image_width": str(student.cameras.width),
        "image_height": str(student.cameras.height),
        "axes": "world right-handed; poses camera to world, OpenGL: x right, y up, the camera looks down -z",
        "units": "poses in scene units, those of the data set; intrinsics in pixels",
        "scene": student.scene.model_dump_json(),
    }
