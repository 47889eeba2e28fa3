"""A deployed student as a program of ExecuTorch, its network lowered to XNNPACK."""

from __future__ import annotations

from collections import Counter

import torch

from nfcore import Cameras, DeployedLightField, NfcoreError
from nfcore_executorch.toolchain import (
    ExecutorchProgramManager,
    XnnpackPartitioner,
    caught,
    quiet,
    to_edge_transform_and_lower,
)


def lowered(deployed: DeployedLightField, cameras: Cameras) -> ExecutorchProgramManager:
    """Return the program that takes the poses and intrinsics of as many ``cameras``.

    Raises:
        NfcoreError: a part of the student can't be expressed in ExecuTorch; names the reason.

    """
    _lay_out(deployed)
    with quiet(), caught():
        try:
            exported = torch.export.export(deployed, (cameras.poses.float(), cameras.intrinsics.float()))
            partitioned = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            return partitioned.to_executorch()
        except Exception as error:  # torch.export and ExecuTorch's passes have no common base
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise NfcoreError(f"this student can't be expressed in ExecuTorch: {reason}") from error


def _lay_out(deployed: DeployedLightField) -> None:
    """Give tables plain strides: only torch treats a transposed single-column table as contiguous."""
    for module in deployed.modules():
        for name, table in module.named_buffers(recurse=False):
            setattr(module, name, table.clone(memory_format=torch.contiguous_format))


def report(program: ExecutorchProgramManager) -> dict[str, object]:
    """Return the number of parts that XNNPACK runs, and the other operators."""
    called = [node.target for node in program.exported_program().graph.nodes if node.op == "call_function"]
    names = Counter(str(getattr(target, "__name__", target)).removesuffix(".out") for target in called)
    delegated = names.pop("executorch_call_delegate", 0)
    others = {name: count for name, count in sorted(names.items()) if name not in ("getitem", "alloc")}
    return {"parts run by XNNPACK": delegated, "operators outside of XNNPACK": others}
