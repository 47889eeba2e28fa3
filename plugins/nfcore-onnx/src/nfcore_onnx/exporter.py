"""The ONNX exporter: pose and intrinsics in, RGB out, as one graph or as two halves."""

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
from torch import Tensor, nn

import nfcore
from nfcore import (
    DeployedLightField,
    Exported,
    ExportedFile,
    LightField,
    NfcoreError,
    ParityFloor,
    Runner,
    Target,
    UserError,
    camera_ports,
    features_port,
    image_port,
)

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

#: From this operator set on GridSample takes volumes.
_VOLUMES_SINCE = 20


class ONNX(nfcore.Exporter):
    """From camera to image; the batch is free, the image size is the student's.

    One graph in one file, or two halves: ``rays.onnx`` computes the features of the rays, ``network.onnx`` the
    image from them. The second has only what the network is made of, which for a plain one any accelerator runs;
    the first can run on the CPU beside it, or be written anew in a shader.

    fp16 halves weights and network, so the file is half as large; ray arithmetic, inputs and output stay fp32. A
    runtime that has no fp16 arithmetic, such as ONNX Runtime on a CPU, converts as it goes and gains no speed.
    """

    class Options(nfcore.Options):
        """Options of the ONNX exporter."""

        precision: Literal["fp32", "fp16"] = Field("fp32", description="Of the weights and the network")
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

    options: Options

    @property
    def parity_floor(self) -> ParityFloor:
        """fp32: 1e-4 and 80 dB, rounding only; fp16: 70 dB, ten bits of mantissa through 60 layers."""
        if self.options.precision == "fp32":
            return ParityFloor(psnr=80, max_error=1e-4)
        return ParityFloor(psnr=70)

    def export(self, student: LightField, folder: Path) -> Exported:
        """Write ``light_field.onnx``, or ``rays.onnx`` and ``network.onnx``; the same student, the same bytes.

        Raises:
            NfcoreError: a part of the student can't be expressed in ONNX; names the reason.

        """
        half, opset = self.options.precision == "fp16", self.options.opset
        target = Target(volumes=opset >= _VOLUMES_SINCE, half=half)
        deployed = DeployedLightField(student, half_network=half, target=target)
        # An example batch of one would make torch.export take the batch for a constant.
        cameras = student.cameras[[0, 0]].to("cpu")
        camera = (cameras.poses, cameras.intrinsics)
        parts: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {FILE: (deployed, camera)}
        files: tuple[ExportedFile, ...] = (ExportedFile.camera_to_image(FILE, cameras),)
        if self.options.form == "split":
            features = deployed.rays(*camera)
            parts = {RAYS: (deployed.rays, camera), NETWORK: (deployed.image, (features,))}
            between = features_port(("batch", *features.shape[1:]), "float16" if half else "float32")
            files = (
                ExportedFile(RAYS, camera_ports(), (between,)),
                ExportedFile(NETWORK, (between,), (image_port(cameras.height, cameras.width),)),
            )
        for file in files:
            model = _convert(*parts[file.name], file, opset)
            _strip(model)
            _describe(model, student, file, self.options.precision)
            onnx.checker.check_model(model, full_check=True)
            (folder / file.name).write_bytes(model.SerializeToString(deterministic=True))
        return Exported(files, precision=self.options.precision, target=f"ONNX opset {opset}")

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


def _load(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """Return a session of one file, or raise a UserError."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: all cores
    if not path.is_file():
        raise UserError(f"{path}: no such file; export the student to get it")
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has no common base for what it raises on loading
        reason = _first_line(error).rpartition("failed:")[2]
        raise UserError(f"{path}: damaged, ONNX Runtime can't load it: {reason}") from None
    names = [value.name for value in (*session.get_inputs(), *session.get_outputs())]
    expected = [name for side in TENSORS[path.name] for name in side]
    if names != expected:
        raise UserError(f"{path}: not a light field: it has {', '.join(names)}, not {', '.join(expected)}")
    return session


def _convert(module: nn.Module, example: tuple[Tensor, ...], file: ExportedFile, opset: int) -> onnx.ModelProto:
    """Return the graph of ``module`` with a free batch."""
    batch = {0: torch.export.Dim("batch")}
    with _quiet():
        try:
            program = torch.onnx.export(
                module,
                example,
                dynamo=True,
                opset_version=opset,
                input_names=[port.name for port in file.inputs],
                output_names=[port.name for port in file.outputs],
                dynamic_shapes=tuple(batch for _ in file.inputs),
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


def _describe(model: onnx.ModelProto, student: LightField, file: ExportedFile, precision: str) -> None:
    """Say in the file itself what goes in, what comes out and what made it."""
    cameras, core = student.cameras, version("neural-field-core")
    model.producer_name, model.producer_version = "nfcore", core
    model.graph.name = file.name.removesuffix(".onnx")
    image = f"{cameras.width}x{cameras.height} image out"
    texts = {
        FILE: f"A neural light field: camera in, {image}.",
        RAYS: "The first half of a neural light field: camera in, features of its rays out.",
        NETWORK: f"The second half of a neural light field: features of its rays in, {image}.",
    }
    model.doc_string = texts[file.name]
    meanings = {port.name: port.meaning for port in (*file.inputs, *file.outputs)}
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = meanings[value.name]
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
