"""The ONNX exporter: pose and intrinsics in, RGB out, as one graph in one file."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import onnx
import onnxruntime
import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Cameras, DeployedLightField, LightField, NfcoreError, ParityFloor, Runner, UserError

#: The one file that an export consists of.
FILE = "light_field.onnx"

INPUTS = {
    "pose": "(batch, 3, 4) float32: camera to world, OpenGL axes (x right, y up, looks down -z), scene units",
    "intrinsics": "(batch, 4) float32: fx, fy, cx, cy in pixels of the output image; pixel centres at +0.5",
}
OUTPUTS = {"image": "(batch, 3, height, width) float32: RGB in [0, 1], top row first"}


class ONNX(nfcore.Exporter):
    """One graph from camera to image; the batch is free, the image size is the student's.

    fp16 halves weights and network, so the file is half as large; ray arithmetic, inputs and output stay fp32. A
    runtime that has no fp16 arithmetic, such as ONNX Runtime on a CPU, converts as it goes and gains no speed.
    """

    class Options(nfcore.Options):
        """Options of the ONNX exporter."""

        precision: Literal["fp32", "fp16"] = Field("fp32", description="Of the weights and the network")
        opset: int = Field(
            20,
            ge=18,
            le=23,
            description="ONNX operator set; from 20 on GELU is one node, about 23% faster in ONNX Runtime",
        )

    options: Options

    @property
    def parity_floor(self) -> ParityFloor:
        """fp32: 1e-4 and 80 dB, rounding only; fp16: 70 dB, ten bits of mantissa through 60 layers."""
        if self.options.precision == "fp32":
            return ParityFloor(psnr=80, max_error=1e-4)
        return ParityFloor(psnr=70)

    def export(self, student: LightField, folder: Path) -> None:
        """Write ``light_field.onnx`` for ``student`` into ``folder``; the same student gives the same bytes.

        Raises:
            NfcoreError: a part of the student can't be expressed in ONNX; names the reason.

        """
        deployed = DeployedLightField(student, half_network=self.options.precision == "fp16")
        model = _convert(deployed, student.cameras, self.options.opset)
        _strip(model)
        _describe(model, student, self.options.precision)
        onnx.checker.check_model(model, full_check=True)
        (folder / FILE).write_bytes(model.SerializeToString(deterministic=True))

    def load(self, folder: Path) -> Runner:
        """Load ``light_field.onnx`` into ONNX Runtime on the CPU.

        Raises:
            UserError: the file is missing, damaged or not from this exporter.

        """
        path = folder / FILE
        if not path.is_file():
            raise UserError(f"{path}: no such file; export the student to get it")
        try:
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has no common base for what it raises on loading
            reason = _first_line(error).rpartition("failed:")[2]
            raise UserError(f"{path}: damaged, ONNX Runtime can't load it: {reason}") from None
        names = [value.name for value in (*session.get_inputs(), *session.get_outputs())]
        if names != [*INPUTS, *OUTPUTS]:
            raise UserError(f"{path}: not a light field: it has {', '.join(names)}, not pose, intrinsics, image")

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            cameras = {"pose": poses.numpy(force=True), "intrinsics": intrinsics.numpy(force=True)}
            return torch.from_numpy(session.run(None, cameras)[0])

        return Runner(f"ONNX Runtime {onnxruntime.__version__} (CPU)", render)


def _convert(deployed: DeployedLightField, cameras: Cameras, opset: int) -> onnx.ModelProto:
    """Return the graph of ``deployed`` with a free batch; ``cameras`` are an example input."""
    # An example batch of one would make torch.export take the batch for a constant.
    example = cameras[[0, 0]].to("cpu")
    batch = {0: torch.export.Dim("batch")}
    with _quiet():
        try:
            program = torch.onnx.export(
                deployed,
                (example.poses, example.intrinsics),
                dynamo=True,
                opset_version=opset,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                dynamic_shapes=dict.fromkeys(INPUTS, batch),
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            cause = error.__cause__ or error
            raise NfcoreError(f"this student can't be expressed in ONNX: {_first_line(cause)}") from error
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    return model


def _strip(model: onnx.ModelProto) -> None:
    """Remove torch's notes on where each node came from: stack traces are no business of a delivered file."""
    graph = model.graph
    del graph.value_info[:]
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""


def _describe(model: onnx.ModelProto, student: LightField, precision: str) -> None:
    """Say in the file itself what goes in, what comes out and what made it."""
    cameras, core = student.cameras, version("neural-field-core")
    model.producer_name, model.producer_version = "nfcore", core
    model.graph.name = "light_field"
    model.doc_string = f"A neural light field: camera in, {cameras.width}x{cameras.height} image out."
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = (INPUTS | OUTPUTS)[value.name]
    notes = {
        "nfcore_version": core,
        "precision": precision,
        "image_width": str(cameras.width),
        "image_height": str(cameras.height),
        "axes": "world right-handed; poses camera to world, OpenGL: x right, y up, the camera looks down -z",
        "units": "poses in scene units, those of the data set; intrinsics in pixels",
        "scene": student.scene.model_dump_json(),
    }
    onnx.helper.set_model_props(model, notes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from logging, warning and printing whole graphs about its own internals."""
    logs = [logging.getLogger(name) for name in ("torch.onnx", "torch.fx")]
    levels = [log.level for log in logs]
    printed = io.StringIO()
    try:
        for log in logs:
            log.setLevel(logging.ERROR)
        with warnings.catch_warnings(), redirect_stdout(printed), redirect_stderr(printed):
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
