"""The device to compute on, by name."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from nfcore.errors import UserError

#: Kinds of devices, and those of them without numbers in double precision.
_KINDS = ["cpu", "cuda", "mps"]
_SINGLE_PRECISION = ["mps"]


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``: ``cpu``, ``cuda``, ``cuda:1``, ``mps`` or ``auto``.

    ``auto`` is CUDA if available, else ``mps``, the GPU of a Mac, if available, else the CPU.

    >>> choose_device("cpu")
    device(type='cpu')

    Raises:
        UserError: torch has no such device, or this machine has none.

    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in _KINDS:
        raise UserError(f"device = {name!r}: write auto, cpu, cuda, cuda:1 or mps")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError(f"device = {name!r}: torch finds no GPU of a Mac here; auto uses what is available")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        here = "no CUDA device" if not count else f"only {count} of them"
        raise UserError(f"device = {name!r}: torch finds {here} here; auto uses what is available")
    return device


def has_double_precision(device: torch.device) -> bool:
    """Return whether there are float64 tensors on ``device``: not on the GPU of a Mac.

    >>> has_double_precision(torch.device("mps"))
    False
    """
    return device.type not in _SINGLE_PRECISION


def device_of(*modules: nn.Module) -> torch.device:
    """Return the device of the modules' parameters or buffers; the CPU if they have none.

    >>> device_of(nn.Linear(2, 3))
    device(type='cpu')
    """
    tensors = (tensor for module in modules for tensor in itertools.chain(module.parameters(), module.buffers()))
    return next((tensor.device for tensor in tensors), torch.device("cpu"))
