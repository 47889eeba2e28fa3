"""A student's forward pass compiled by torch, with failures that a person can read."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nfcore.errors import NfcoreError
from nfcore.plugin.isolation import reason
from nfcore.scene.cameras import Cameras

# Where the errors of torch.compile are defined; their classes are no public names.
_COMPILERS = ("torch._dynamo", "torch._inductor")


def compiled(student: nn.Module) -> Callable[[Cameras], Tensor]:
    """Return the forward pass of ``student`` as ``torch.compile`` makes it, at the first call.

    The student itself stays as it was: what is saved, copied or exported knows nothing of it. Calls raise
    ``NfcoreError`` where it can't be compiled, on a machine without a C++ compiler for example.
    """
    forward = torch.compile(student)

    def call(cameras: Cameras) -> Tensor:
        try:
            images: Tensor = forward(cameras)
        except RuntimeError as error:
            if not type(error).__module__.startswith(_COMPILERS):
                raise
            why = reason(getattr(error, "inner_exception", error))
            raise NfcoreError(f"torch.compile failed ({why}): set compile=false") from error
        return images

    return call
