"""Gaussians as ``.splat``, the format of antimatter15's viewer: 32 bytes each, one colour for all directions."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nfcore import UserError
from nfcore_splats.gaussians import CONSTANT, Gaussians
from nfcore_splats.sanity import check_count

_RECORD = np.dtype([("mean", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("rotation", "u1", 4)])


def read_splat(data: bytes, where: str) -> Gaussians:
    """Return the Gaussians in a ``.splat`` file.

    Raises:
        UserError: its size is not a multiple of 32 bytes, or it is empty.

    """
    if len(data) % _RECORD.itemsize:
        raise UserError(f"{where}: damaged: {len(data):,} bytes are no multiple of {_RECORD.itemsize}")
    check_count(len(data) // _RECORD.itemsize, 0, where)
    rows = np.frombuffer(data, _RECORD)
    rgba = torch.from_numpy(rows["rgba"].astype(np.float32)) / 255
    return Gaussians(
        torch.from_numpy(rows["mean"].copy()),
        torch.from_numpy(rows["scale"].copy()).log(),
        (torch.from_numpy(rows["rotation"].astype(np.float32)) - 128) / 128,
        logit(rgba[:, 3]),
        ((rgba[:, None, :3] - 0.5) / CONSTANT).contiguous(),
    )


def logit(share: Tensor) -> Tensor:
    """Return the logits of opacities in [0, 1]; finite for 0 and 1."""
    return torch.logit(share, eps=1e-4)
