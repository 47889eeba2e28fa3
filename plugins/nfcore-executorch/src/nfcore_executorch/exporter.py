"""The exporter: a student to one ``.pte`` for ExecuTorch, its network lowered to XNNPACK."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

import nfcore
from nfcore import DeployedLightField, Exported, ExportedFile, LightField, NfcoreError, Runner, Target, Tolerance
from nfcore_executorch.program import Program
from nfcore_executorch.toolchain import (
    ExecutorchProgramManager,
    XnnpackPartitioner,
    caught,
    quiet,
    to_edge_transform_and_lower,
)

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

    def export(self, student: LightField, folder: Path) -> Exported:
        """Write ``light_field.pte``.

        Raises:
            NfcoreError: a part of the student can't be expressed in ExecuTorch; names the reason.

        """
        cameras = student.cameras[0].to("cpu")
        deployed = DeployedLightField(student, target=TARGET)
        _lay_out(deployed)
        with quiet(), caught():
            try:
                exported = torch.export.export(deployed, (cameras.poses.float(), cameras.intrinsics.float()))
                lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
                program: ExecutorchProgramManager = lowered.to_executorch()
            except Exception as error:  # torch.export and ExecuTorch's passes have no common base
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise NfcoreError(f"this student can't be expressed in ExecuTorch: {reason}") from error
        (folder / FILE).write_bytes(program.buffer)
        return Exported(
            (ExportedFile.camera_to_image(FILE, cameras, batch=1),),
            precision="fp32",
            target=f"ExecuTorch {version('executorch')}, XNNPACK",
            unverified=("speed on a phone: no phone was used",),
            report=_report(program),
        )

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load the program in ``folder`` into ExecuTorch's runtime; cameras are rendered one by one.

        Raises:
            UserError: the file is missing, damaged or not from this exporter.

        """
        program = Program(folder / FILE, threads)

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            views = zip(poses.cpu().float().split(1), intrinsics.cpu().float().split(1), strict=True)
            return torch.cat([program(pose, k) for pose, k in views])

        return Runner(f"ExecuTorch {version('executorch')} (XNNPACK, this CPU)", render)


def _lay_out(deployed: DeployedLightField) -> None:
    """Give tables plain strides: only torch treats a transposed single-column table as contiguous."""
    for module in deployed.modules():
        for name, table in module.named_buffers(recurse=False):
            setattr(module, name, table.clone(memory_format=torch.contiguous_format))


def _report(program: ExecutorchProgramManager) -> dict[str, object]:
    """Return the number of parts that XNNPACK runs, and the other operators."""
    called = [node.target for node in program.exported_program().graph.nodes if node.op == "call_function"]
    names = Counter(str(getattr(target, "__name__", target)).removesuffix(".out") for target in called)
    delegated = names.pop("executorch_call_delegate", 0)
    others = {name: count for name, count in sorted(names.items()) if name not in ("getitem", "alloc")}
    return {"parts run by XNNPACK": delegated, "operators outside of XNNPACK": others}
