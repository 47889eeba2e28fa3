"""The size of a student and the operations that it takes."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nfcore.student.light_field import LightField


def parameters(module: nn.Module) -> int:
    """Return the number of trained parameters.

    >>> parameters(nn.Linear(3, 4))
    16
    """
    return sum(parameter.numel() for parameter in module.parameters())


def macs(student: LightField) -> int:
    """Return the multiply-accumulate operations for one image, counting convolutions and matrix products."""
    on_meta = copy.deepcopy(student).to("meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        on_meta(student.cameras[:1].to("meta"))
    return int(counter.get_total_flops()) // 2
