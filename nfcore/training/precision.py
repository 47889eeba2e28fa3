"""The precision of the network in training: float32, or half precision where the hardware is faster with it."""

from __future__ import annotations

import torch

from nfcore.errors import UserError


def gains_from_bf16() -> bool:
    """Whether this machine's processor multiplies bfloat16 matrices faster than float32 ones (AMX)."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def network_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the network's dtype on ``device`` for ``fp32``, ``bf16``, ``fp16`` or ``auto``.

    ``auto`` is bf16 where that is faster than fp32, else fp32.

    Raises:
        UserError: fp16 on a CPU, where it is slow.

    """
    if precision == "fp16" and device.type != "cuda":
        raise UserError("precision = fp16 needs a CUDA device: elsewhere set bf16, fp32 or auto")
    if precision == "auto":
        on_cuda = device.type == "cuda" and torch.cuda.is_bf16_supported()
        fast = on_cuda or (device.type == "cpu" and gains_from_bf16())
        precision = "bf16" if fast else "fp32"
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def autocast(dtype: torch.dtype, device: torch.device) -> torch.autocast:
    """Return a context in which networks compute in ``dtype``."""
    return torch.autocast(device.type, None if dtype == torch.float32 else dtype, enabled=dtype != torch.float32)
