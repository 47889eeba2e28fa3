"""The exporter: a student to one ``.pte`` for ExecuTorch, its network lowered to XNNPACK."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

import nfcore
from nfcore import DeployedLightField, Exported, ExportedFile, LightField, Runner, Target, Tolerance

FILE = "light_field.pte"

#: ExecuTorch's portable operators can't sample volumes; tables are gathered from.
TARGET = Target(volumes=False)


class ExecuTorch(nfcore.Exporter[LightField]):
    """One program from camera to image, fp32, of one camera and one image size.

    XNNPACK runs what it supports, which is all of the network; the rest runs in ExecuTorch's portable operators,
    which the report names. There is no fp16: XNNPACK also accumulates in fp16, which reduces the paper's student
    to 52 dB, and the file does not get smaller.
    """

    tolerance = Tolerance(psnr=80, max_error=1e-4)

    def __init__(self, options: nfcore.Options) -> None:
        super().__init__(options)
        # ExecuTorch takes 4 s to import: not to list options, but before a run's training, in case it can't be.
        importlib.import_module("nfcore_executorch.toolchain")

    def export(self, student: LightField, folder: Path) -> Exported:
        """Write ``light_field.pte``.

        Raises:
            NfcoreError: a part of the student can't be expressed in ExecuTorch; names the reason.

        """
        from nfcore_executorch.lowering import lowered, report

        cameras = student.cameras[0].to("cpu")
        program = lowered(DeployedLightField(student, target=TARGET), cameras)
        (folder / FILE).write_bytes(program.buffer)
        return Exported(
            (ExportedFile.camera_to_image(FILE, cameras, batch=1),),
            precision="fp32",
            target=f"ExecuTorch {version('executorch')}, XNNPACK",
            unverified=("speed on a phone: no phone was used",),
            report=report(program),
        )

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the program in ``folder`` into ExecuTorch's runtime; cameras are rendered one by one.

        Raises:
            UserError: the file is missing, damaged or not from this exporter.

        """
        from nfcore_executorch.program import Program

        program = Program(folder / FILE, threads)

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            views = zip(poses.cpu().float().split(1), intrinsics.cpu().float().split(1), strict=True)
            return torch.cat([program(pose, k) for pose, k in views])

        return Runner(f"ExecuTorch {version('executorch')} (XNNPACK, this CPU)", render)
