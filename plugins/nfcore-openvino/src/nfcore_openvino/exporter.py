"""The OpenVINO exporter: pose and intrinsics in, RGB out, as OpenVINO's intermediate representation (IR)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import openvino
import torch
from openvino.passes import ConstantFolding, Manager
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import (
    Exported,
    ExportedFile,
    LightField,
    NfcoreError,
    Runner,
    Tolerance,
    UserError,
    VerificationUnavailable,
    camera_ports,
    features_port,
    image_port,
)
from nfcore_openvino.weights import round_to_int8

#: Names of the files without suffix: one model, or one to the features and one from them to the image.
MODEL, RAYS, NETWORK = "light_field", "rays", "network"
TENSORS = {
    MODEL: ("pose", "intrinsics", "image"),
    RAYS: ("pose", "intrinsics", "features"),
    NETWORK: ("features", "image"),
}

# OpenVINO does not support GridSample of volumes, of operator set 20; for lower ones gathers are exported.
_OPSET = 18
# OpenVINO's names of unnamed nodes.
_COUNTED = re.compile(r"[A-Z]\w*_\d+")


class OpenVINO(nfcore.Exporter[LightField]):
    """From camera to image, converted from the exporter ``onnx``; the batch is free, the size is fixed.

    Each model is an ``.xml`` with the graph and a ``.bin`` with its weights. int8 weights are converted when
    the model is loaded: they save space, and the network computes in floating point as before. With
    ``inference = "bf16"`` there are two models: rays and encoding, which always compute in fp32, and the network,
    which computes in bfloat16 where the processor can.
    """

    class Options(nfcore.Options):
        """Options of the OpenVINO exporter."""

        precision: Literal["fp32", "fp16", "int8"] = Field(
            "fp32", description="Of the network's weights in the file"
        )
        inference: Literal["f32", "bf16"] = Field(
            "f32", description="Arithmetic of the network; bf16 is several times as fast on CPUs with AMX"
        )

    options: Options

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Return the three precisions."""
        return tuple({"precision": precision} for precision in ("fp32", "fp16", "int8"))

    @property
    def tolerance(self) -> Tolerance:
        """fp32: 90 dB and 2e-3; fp16: 70 dB; int8 weights: 50 dB; 35 dB in bfloat16, of 8 bits.

        OpenVINO approximates exponentials and quotients. An encoding that places points where opacity accumulates
        amplifies that to 5e-4 in single pixels on edges; other students stay within 1e-5.
        """
        if self.options.inference == "bf16":
            return Tolerance(psnr=35)
        if self.options.precision == "fp32":
            return Tolerance(psnr=90, max_error=2e-3)
        return Tolerance(psnr=70 if self.options.precision == "fp16" else 50)

    def export(self, student: LightField, folder: Path) -> Exported:
        """Write ``light_field.xml`` and ``.bin``, or, for bf16, ``rays`` and ``network`` of both kinds.

        Raises:
            NfcoreError: a part of the student can't be expressed in ONNX or OpenVINO; names the reason.
            PluginError: the exporter ``onnx`` is not installed.

        """
        precision, split = self.options.precision, self.options.inference == "bf16"
        # With 8-bit weights, everything else (tables of an encoding, biases) is fp16.
        options: dict[str, Any] = {
            "precision": "fp32" if precision == "fp32" else "fp16",
            "form": "split" if split else "single",
            "opset": _OPSET,
        }
        with tempfile.TemporaryDirectory() as temporary:
            place = Path(temporary)
            nfcore.plugins().build("exporter", "nfcore-onnx/onnx", options).export(student, place)
            for name in (RAYS, NETWORK) if split else (MODEL,):
                model = _read(place / f"{name}.onnx")
                folding = Manager()
                folding.register_pass(ConstantFolding())
                folding.run_passes(model)
                if precision == "int8" and name != RAYS:
                    # After the folding, which would undo it. The network's first layer has inputs of very
                    # different ranges: its weights alone would cost a guided student 11 dB.
                    round_to_int8(model, kept=1)
                _name_by_order(model)
                openvino.save_model(model, folder / f"{name}.xml", compress_to_fp16=False)
        return Exported(
            _files(student, split, options["precision"]),
            precision=precision if precision != "int8" else "int8 weights",
            target=f"OpenVINO {_release()}, {self.options.inference} arithmetic",
        )

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the models in ``folder`` into OpenVINO on the CPU.

        Raises:
            UserError: a file is missing, damaged or not from this exporter.
            VerificationUnavailable: this processor does not support bfloat16.

        """
        split = self.options.inference == "bf16"
        core = openvino.Core()
        if split and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise VerificationUnavailable("this processor has no bfloat16 arithmetic")
        steps = [_load(core, folder / f"{name}.xml", threads, self.options.inference) for name in _names(split)]

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            values = {"pose": poses.numpy(force=True), "intrinsics": intrinsics.numpy(force=True)}
            for step in steps:
                values = {step.output(0).any_name: step(values)[0]}
            return torch.from_numpy(values["image"])

        return Runner(f"OpenVINO {_release()} (CPU, {self.options.inference})", render)


def _read(path: Path) -> openvino.Model:
    """Return one ONNX file as an OpenVINO model."""
    try:
        return openvino.Core().read_model(path)
    except RuntimeError as error:
        raise NfcoreError(f"this student can't be expressed in OpenVINO: {_reason(error)}") from error


def _reason(error: RuntimeError) -> str:
    """Return the first informative line of OpenVINO's error."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from")]
    return lines[0] if lines else "no reason given"


def _name_by_order(model: openvino.Model) -> None:
    """Rename nodes, in place, whose names OpenVINO numbers per process."""
    for index, node in enumerate(model.get_ordered_ops()):
        if _COUNTED.fullmatch(node.get_friendly_name()):
            node.set_friendly_name(f"{node.get_type_name()}-{index}")


def _names(split: bool) -> tuple[str, ...]:
    return (RAYS, NETWORK) if split else (MODEL,)


def _files(student: LightField, split: bool, dtype: str) -> tuple[ExportedFile, ...]:
    cameras = student.cameras
    if not split:
        return (ExportedFile.camera_to_image(f"{MODEL}.xml", cameras),)
    between = features_port(
        ("batch", student.encoding.channels, *student.grid), "float32" if dtype == "fp32" else "float16"
    )
    return (
        ExportedFile(f"{RAYS}.xml", camera_ports(), (between,)),
        ExportedFile(f"{NETWORK}.xml", (between,), (image_port(cameras.height, cameras.width),)),
    )


def _load(core: openvino.Core, path: Path, threads: int | None, inference: str) -> openvino.CompiledModel:
    """Return one model, ready to run, or raise a UserError."""
    for file in (path, path.with_suffix(".bin")):
        if not file.is_file():
            raise UserError(f"{file}: no such file; export the student to get it")
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        # OpenVINO's default is bfloat16 if the processor supports it. Rays need more than its 8 bits.
        "INFERENCE_PRECISION_HINT": inference if path.stem == NETWORK else "f32",
        # Activations are not rounded either, which is its default in linear layers with 8-bit weights.
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0,
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = threads
    try:
        model = core.read_model(path)
        names = tuple(port.any_name for port in (*model.inputs, *model.outputs))
        if names == TENSORS[path.stem]:
            return core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        lines = [
            line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from")
        ]
        reason = lines[0] if lines else "no reason given"
        raise UserError(f"{path}: damaged, OpenVINO can't load it: {reason}") from None
    raise UserError(f"{path}: not a light field: it has {', '.join(names)}, not {', '.join(TENSORS[path.stem])}")


def _release() -> str:
    return str(openvino.__version__).partition("-")[0]
