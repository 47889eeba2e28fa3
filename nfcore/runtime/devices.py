"""The device to compute on, by name."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from nfcore.errors import UserError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``: ``cpu``, ``cuda``, ``cuda:1``, or ``auto``: CUDA if available.

    >>> choose_device("cpu")
    device(type='cpu')

    Raises:
        UserError: torch has no such device, or this machine has none.

    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"device = {name!r}: write auto, cpu, cuda or cuda:1")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        here = "no CUDA device" if not count else f"only {count} of them"
        raise UserError(f"device = {name!r}: torch finds {here} here; auto uses what is available")
    return device


def device_of(*modules: nn.Module) -> torch.device:
    """Return the device of the modules' parameters or buffers; the CPU if they have none.

    >>> device_of(nn.Linear(2, 3))
    device(type='cpu')
    """
    tensors = (tensor for module in modules for tensor in itertools.chain(module.parameters(), module.buffers()))
    return next((tensor.device for tensor in tensors), torch.device("cpu"))
