"""The web exporter: one HTML file that renders the student in a browser without a network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import onnx
import onnxruntime
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

import nfcore
from nfcore import Cameras, Exported, ExportedFile, LightField, Runner, Tolerance, UserError
from nfcore.io import read_text
from nfcore.viewer import viewer_card
from nfcore_web.model import share_weights, with_weights
from nfcore_web.page import MOST_PAGE, build_page, model_of

#: The one file that an export consists of.
FILE = "light_field.html"

# PSNR, dB, of a smaller size's images against scaled-down full ones, from which the size is offered. A student is
# trained at one size only and may be wrong at another: the quickstart's guided student has 26 dB at half its size,
# the pure network 21, which is visible.
_LEAST_AGREEMENT = 25.0
_COMPARED = 4


class Web(nfcore.Exporter[LightField]):
    """One HTML file: model, runtime (ONNX Runtime Web) and controls; opens from a disk, without a network.

    It runs on WebGPU if the browser supports it, else on WebAssembly with SIMD, with threads if the page is
    served with the headers that allow them (``nfcore view`` sends them). The model is from the exporter
    ``onnx``. To keep the frame rate while the camera moves, the page also has the graph for half the size,
    if the student's images are right at that size; ``sizes`` is the number of sizes to try.
    """

    class Options(nfcore.Options):
        """Options of the web exporter."""

        weights: Literal["fp16", "fp32"] = Field(
            "fp16", description="How weights are stored; the page computes in float32 with either"
        )
        sizes: int = Field(
            2, ge=1, le=4, description="Image sizes to try, each half the one before; wrong ones are left out"
        )
        title: str = Field(
            "Neural light field",
            min_length=1,
            max_length=80,
            description="The page's title; in a run, the scene's name",
        )

    options: Options

    @property
    def tolerance(self) -> Tolerance:
        """fp32: rounding only; fp16: ten bits of mantissa in the weights."""
        return Tolerance(psnr=80, max_error=1e-3) if self.options.weights == "fp32" else Tolerance(psnr=50)

    def export(self, student: LightField, folder: Path) -> Exported:
        """Write ``light_field.html`` for ``student`` into ``folder``.

        Raises:
            NfcoreError: a part of the student can't be expressed in ONNX.
            PluginError: the exporter ``onnx`` is not installed.
            UserError: this installation lacks the browser runtime.

        """
        sizes = list(_sizes_that_fit(student, self.options.sizes))
        models = [_as_onnx(student, cameras) for cameras in sizes]
        card = {"format": 1, **viewer_card(student, self.options.title, sizes)}
        page = build_page(card, share_weights(models, half=self.options.weights == "fp16"))
        (folder / FILE).write_text(page, encoding="utf-8")
        precision = "fp32" if self.options.weights == "fp32" else "fp16 weights, fp32 arithmetic"
        file = ExportedFile.camera_to_image(FILE, student.cameras)
        return Exported((file,), precision=precision, target="browsers with WebAssembly SIMD or WebGPU")

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the model at full size from the page into ONNX Runtime on the CPU.

        Raises:
            UserError: the file is missing, damaged or not from this exporter.

        """
        path = folder / FILE
        if not path.is_file():
            raise UserError(f"{path}: no such file; export the student to get it")
        _, model = model_of(read_text(path, MOST_PAGE), str(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        try:
            session = onnxruntime.InferenceSession(
                with_weights(model.graphs[0], model.weights), options, providers=["CPUExecutionProvider"]
            )
        except Exception:  # ONNX Runtime and protobuf have no common base for what they raise on loading
            raise UserError(f"{path}: damaged, ONNX Runtime can't load its model") from None

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            cameras = {"pose": poses.numpy(force=True), "intrinsics": intrinsics.numpy(force=True)}
            return torch.from_numpy(session.run(None, cameras)[0])

        verified_by = f"ONNX Runtime {onnxruntime.__version__} (CPU), on the model in the page"
        return Runner(verified_by, render, timed=False)  # a browser's latency differs


def _sizes_that_fit(student: LightField, count: int) -> Iterator[Cameras]:
    """Yield the student's cameras at its own size, and at halves of it while its images are right."""
    own = student.cameras[:_COMPARED].to("cpu")
    full = student.render(own)
    yield own
    for factor in (2**power for power in range(1, count)):
        if own.height % (factor * student.scale) or own.width % (factor * student.scale):
            return
        cameras = own.resized(own.height // factor, own.width // factor)
        error = student.render(cameras) - F.avg_pool2d(full, factor)
        if -10 * error.square().mean().log10() < _LEAST_AGREEMENT:
            return
        yield cameras


def _as_onnx(student: LightField, cameras: Cameras) -> onnx.ModelProto:
    """Return ``student``, at the size of ``cameras``, converted by the exporter ``onnx``."""
    sized = LightField(student.encoding, student.backbone, student.upsampler, scene=student.scene, cameras=cameras)
    exporter: Any = nfcore.plugins().build("exporter", "nfcore-onnx/onnx", {})
    with tempfile.TemporaryDirectory() as folder:
        exporter.export(sized, Path(folder))
        (file,) = Path(folder).glob("*.onnx")
        return onnx.load(file)
