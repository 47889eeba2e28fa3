"""What files of Gaussians are checked for: their number, before memory is taken, and numbers without sense."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch.nn import functional as F

from nfcore import UserError
from nfcore.runtime import require_memory
from nfcore_splats.gaussians import BASIS_SIZES, Gaussians

#: More than this can't be drawn on a CPU in reasonable time.
MOST = 8_000_000
#: Greatest size of a file in bytes: that many with harmonics of degree 3, as floats.
MOST_BYTES = 4 << 30
_ADVICE = "prune it first, in SuperSplat or by playcanvas/splat-transform (--filter, --decimate)"
# Beyond these, numbers of float32 overflow while they are drawn. A scale of 0 is drawn as a very thin one.
_FARTHEST, _LARGEST, _SMALLEST = 1e9, 20.0, -20.0
#: The logit of an opacity of 1; that of 0 is as far away. Files have them as infinite.
_OPAQUE = 40.0


def check_count(count: int, degree: int, where: str) -> None:
    """Check how many Gaussians a file says that it has, before they are read.

    Raises:
        UserError: none, too many, or more than fit into memory.

    """
    if count <= 0:
        raise UserError(f"{where}: holds no Gaussians")
    if count > MOST:
        raise UserError(f"{where}: holds {count:,} Gaussians; more than {MOST:,} are not read here: {_ADVICE}")
    # As stored, as tensors and as a copy.
    size = 3 * 4 * count * (11 + 3 * BASIS_SIZES[degree])
    require_memory(size, torch.device("cpu"), f"{where} with {count:,} Gaussians", _ADVICE)


def cleaned(found: Gaussians, where: str) -> tuple[Gaussians, tuple[str, ...]]:
    """Return the Gaussians whose numbers make sense, with unit quaternions, and a note if some were left out.

    Raises:
        UserError: none is left.

    """
    found = _usual(found)
    finite = torch.stack([tensor.isfinite().flatten(1).all(1) for tensor in _columns(found)]).all(0)
    sane = (found.means.abs() <= _FARTHEST).all(1) & (found.log_scales <= _LARGEST).all(1)
    good = finite & sane
    bad = int((~good).sum())
    if bad == len(found):
        raise UserError(f"{where}: all {bad:,} Gaussians have numbers that are not finite or beyond 1e9")
    notes = (f"{bad:,} of {len(found):,} Gaussians are left out: NaN, infinite or beyond 1e9",) if bad else ()
    kept = found.chosen(good) if bad else found
    return replace(
        kept,
        quaternions=F.normalize(kept.quaternions, dim=1),
        log_scales=kept.log_scales.clamp_min(_SMALLEST),
    ), notes


def _usual(found: Gaussians) -> Gaussians:
    """Return them with finite opacities where these are 0 or 1, and unturned where a quaternion is 0."""
    unturned = found.quaternions.norm(dim=1) <= 1e-12
    return replace(
        found,
        quaternions=torch.where(unturned[:, None], torch.tensor([1.0, 0, 0, 0]), found.quaternions),
        opacity_logits=found.opacity_logits.clamp(-_OPAQUE, _OPAQUE),
    )


def _columns(found: Gaussians) -> list[torch.Tensor]:
    """Return tensors of which nothing may be NaN or infinite; a scale of 0 has the logarithm -inf."""
    scales = found.log_scales.nan_to_num(nan=torch.nan, posinf=torch.inf, neginf=_SMALLEST)
    return [found.means, scales, found.quaternions, found.opacity_logits[:, None], found.harmonics]
