"""The ONNX exporter: pose and intrinsics in, RGB out, as one graph or as two halves; or rays in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import onnx
import onnxruntime
import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn

import nfcore
from nfcore import (
    Cameras,
    DeployedLightField,
    Exported,
    ExportedFile,
    LightField,
    Runner,
    Target,
    Tolerance,
    UserError,
    camera_ports,
    camera_render,
    features_port,
    image_port,
    ray_ports,
)
from nfcore.evaluation import psnr
from nfcore.exports import strip_notes
from nfcore_onnx.activations import in_small, novel_cameras, quantized
from nfcore_onnx.bit_allocation import allocate_bits
from nfcore_onnx.files import FILE, FORMS, NETWORK, OF_RAYS, RAYS, TENSORS, notes, open_session, text
from nfcore_onnx.graph import convert, describe
from nfcore_onnx.weights import Layer, layers, rounded, store

#: GridSample supports volumes from this operator set on.
_VOLUMES_SINCE = 20

#: Numbers of novel poses for measuring the ranges of activations, and for measuring the loss.
_CALIBRATION, _TRIAL = 8, 4

#: Names of precisions in reports.
_CALLED = {"int8": "int8 weights", "w8a8": "W8A8"}


@dataclass(frozen=True)
class _Part:
    """One file and the module that it is converted from."""

    file: ExportedFile
    module: nn.Module


class ONNX(nfcore.Exporter[LightField]):
    """From camera to image; the batch is free, the image size is the student's.

    One graph in one file, or two halves: ``rays.onnx`` computes the features of the rays, ``network.onnx`` the
    image from them. The second has only the network's operations, which any accelerator runs for a plain network;
    the first can run on the CPU at the same time, or be rewritten as a shader. Or one graph that takes rays,
    ``of_rays.onnx``, in any number of rows and columns, for renderers that compute their own.

    Inputs, output and ray arithmetic are fp32 in all precisions:

    - fp16 halves weights and network, so the file is half as large. A runtime without fp16 arithmetic, such as
      ONNX Runtime on a CPU, converts on the fly and gains no speed.
    - int8 stores weights in 8 bits, symmetric per output channel, and computes in fp32: runtimes convert them when
      they load the file. Layers and tables that would lose too much are stored in fp16.
    - w8a8 computes the network in 8 bits. It loses visibly; the report has the loss at poses that it was not
      calibrated with.
    """

    class Options(nfcore.Options):
        """Options of the ONNX exporter."""

        precision: Literal["fp32", "fp16", "int8", "w8a8"] = Field(
            "fp32",
            description="Of weights and network; int8 stores the weights in 8 bits and computes in fp32, w8a8 "
            "computes in 8 bits, which is faster on some CPUs and loses visibly",
        )
        form: Literal["single", "split", "rays"] = Field(
            "single",
            description="One graph; or two: camera to features of the rays, and features to image; or one that "
            "takes origins and directions of rays, at any resolution",
        )
        opset: int = Field(
            20,
            ge=18,
            le=23,
            description="ONNX operator set; from 20 on GELU is one node, about 23% faster in ONNX Runtime, and "
            "GridSample takes volumes, which lower ones replace by gathers",
        )
        bits: dict[str, Literal[8, 16]] = Field(
            {},
            description="With int8: bits of single layers and tables by their names in the student, such as "
            "backbone.head.0; the others get 8 or 16 by the effect of rounding them on the image",
        )

        @field_validator("bits")
        @classmethod
        def _with_int8(cls, bits: dict[str, Literal[8, 16]], given: ValidationInfo) -> dict[str, Literal[8, 16]]:
            precision = given.data.get("precision", "int8")  # absent if it is itself wrong, which is reported
            if bits and precision != "int8":
                raise ValueError(f"only with precision int8, not {precision}")
            return bits

    options: Options
    bits: ClassVar[tuple[int, ...]] = (8, 16)

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Return the precisions that differ in size; w8a8 is as large as int8 and loses more."""
        return tuple({"precision": precision} for precision in ("fp32", "fp16", "int8"))

    def rounded(self, weight: Tensor, bits: int) -> Tensor:
        """Return a layer's weight rounded to 8 or 16 bits."""
        return rounded(weight, bits)

    @property
    def tolerance(self) -> Tolerance:
        """What rounding permits, and a wrong graph fails.

        fp32: 100 dB, and 1e-4 but for one value in 10,000: a student whose points fall between surfaces amplifies
        rounding there (2e-4 on lego at 400x400, where all images have 119 dB). fp16: 70 dB, ten bits of mantissa
        through 60 layers. int8: 50 dB. w8a8: 30 dB;
        students reach 31 to 45.
        """
        if self.options.precision == "fp32":
            return Tolerance(psnr=100, typical_error=1e-4)
        return Tolerance(psnr={"fp16": 70, "int8": 50, "w8a8": 30}[self.options.precision])

    def export(self, student: LightField, folder: Path) -> Exported:
        """Write the file or files of the form; the same student gives the same bytes.

        Raises:
            NfcoreError: a part of the student can't be expressed in ONNX; names the reason.
            UserError: ``bits`` names a layer that the student does not have.

        """
        precision, opset = self.options.precision, self.options.opset
        deployed = DeployedLightField(student, half_network=self._target.half, target=self._target)
        stored = layers(deployed)
        bits = self._bits(deployed, student, stored)
        in_eight_bits = 0
        cameras = student.cameras.to("cpu")
        parts = self._parts(deployed, cameras)
        for part in parts:
            model = self._model(part, deployed, cameras)
            if precision == "w8a8":
                model, count = self._quantized(model, student, part, stored)
                strip_notes(model)
                in_eight_bits += count
            store(model, stored, bits)
            describe(model, part.file, text(student, part.file.name), notes(student, precision))
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
        """Load the file or files in ``folder`` into ONNX Runtime on the CPU.

        Raises:
            UserError: a file is missing, damaged or not from this exporter.

        """
        present = (form for form, files in FORMS.items() if (folder / files[0]).is_file())
        form = next(present, "single")
        sessions = [open_session(folder / file, threads) for file in FORMS[form]]

        def render(*values: Tensor) -> Tensor:
            arrays = [value.numpy(force=True) for value in values]
            for session in sessions:
                names = [port.name for port in session.get_inputs()]
                arrays = session.run(None, dict(zip(names, arrays, strict=True)))
            return torch.from_numpy(arrays[0])

        verified_by = f"ONNX Runtime {onnxruntime.__version__} (CPU)"
        if form != "rays":
            return Runner(verified_by, render)
        notes = sessions[0].get_modelmeta().custom_metadata_map
        size = (int(notes[name]) for name in ("image_height", "image_width", "pixels_per_ray"))
        return Runner(verified_by, camera_render(render, *size))

    @property
    def _target(self) -> Target:
        return Target(volumes=self.options.opset >= _VOLUMES_SINCE, half=self.options.precision == "fp16")

    def _parts(self, deployed: DeployedLightField, cameras: Cameras) -> list[_Part]:
        """Return the parts that become files, in the order in which they run."""
        image = image_port(cameras.height, cameras.width)
        if self.options.form == "rays":
            file = ExportedFile(OF_RAYS, ray_ports(), (image_port("height", "width"),))
            return [_Part(file, deployed.of_rays)]
        if self.options.form == "single":
            return [_Part(ExportedFile(FILE, camera_ports(), (image,)), deployed)]
        (features,) = _inputs(NETWORK, deployed, cameras[0])
        dtype = str(features.dtype).removeprefix("torch.")
        between = features_port(("batch", *features.shape[1:]), dtype)
        return [
            _Part(ExportedFile(RAYS, camera_ports(), (between,)), deployed.rays),
            _Part(ExportedFile(NETWORK, (between,), (image,)), deployed.image),
        ]

    def _model(self, part: _Part, deployed: DeployedLightField, cameras: Cameras) -> onnx.ModelProto:
        # With an example batch of one torch.export would treat the batch as a constant.
        return convert(
            part.module, _inputs(part.file.name, deployed, cameras[[0, 0]]), part.file, self.options.opset
        )

    def _bits(self, deployed: DeployedLightField, student: LightField, stored: Sequence[Layer]) -> dict[str, int]:
        """Return the bits of each layer and table, without uncompressed ones."""
        if self.options.precision == "int8":
            unknown = sorted(set(self.options.bits) - {layer.name for layer in stored})
            if unknown:
                known = ", ".join(layer.name for layer in stored[:4])
                raise UserError(f"bits: the student has no layer {unknown[0]!r}; its layers are {known}, ...")
            return allocate_bits(deployed, student, stored, self.options.bits)
        if self.options.precision == "w8a8":
            return {layer.name: 16 for layer in stored}
        return {}

    def _quantized(
        self, model: onnx.ModelProto, student: LightField, part: _Part, stored: Sequence[Layer]
    ) -> tuple[onnx.ModelProto, int]:
        """Return the graph of ``part`` with its network in 8 bits, and the number of such layers."""
        smaller = in_small(student)
        deployed = DeployedLightField(smaller or student, target=self._target)
        cameras = novel_cameras(smaller or student, _CALIBRATION, seed=0)
        name = part.file.name
        examples = (
            dict(zip(TENSORS[name][0], _inputs(name, deployed, camera), strict=True)) for camera in cameras
        )
        if smaller is None:
            return quantized(model, stored, examples)
        (twin,) = (twin for twin in self._parts(deployed, cameras) if twin.file.name == name)
        return quantized(model, stored, examples, self._model(twin, deployed, cameras))

    def _loss(self, student: LightField, folder: Path) -> dict[str, object]:
        """Return the files' loss against torch at novel poses that they were not calibrated with."""
        cameras = novel_cameras(student, _TRIAL, seed=1)
        images = self.load(folder).render(cameras.poses, cameras.intrinsics)
        return {
            "ranges of activations": f"MinMax at {_CALIBRATION} novel poses",
            "least PSNR against torch at other novel poses, dB": round(
                float(psnr(images, student.render(cameras)).min()), 2
            ),
        }


def _inputs(file: str, deployed: DeployedLightField, cameras: Cameras) -> tuple[Tensor, ...]:
    """Return the inputs of a file for ``cameras``, in order."""
    camera = (cameras.poses, cameras.intrinsics)
    if file == NETWORK:
        return (deployed.rays(*camera),)
    if file == OF_RAYS:
        return tuple(ray.contiguous() for ray in nfcore.ray_grid(*camera, *deployed.rays.shape))
    return camera
