"""From a fitted teacher to an archive: code in 8 bits, find out what images show, leave out and round the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from nfcore import FittedTeacher
from nfcore_webgl.archive import Archive, archive, rounded
from nfcore_webgl.cells import voxels_of
from nfcore_webgl.coding import code
from nfcore_webgl.evaluator import Evaluator
from nfcore_webgl.header import describe
from nfcore_webgl.importance import importance, some_rays, visited

#: A code that no view shows is rounded as if it changed pixels by this share of what the most visible colours do.
_UNSEEN = 3e-3
#: Opacity grows with the exponential of a raw density, so that it may not be off by more codes than these.
_MOST_OF_DENSITY = 3
#: About what a ray's samples of so small a weight that they are not looked up add to its colour.
_NOT_LOOKED_UP = 2.5e-3
#: Where 8 bits alone are farther from the teacher than required, rounding may add this share to their error.
_MORE = 0.3
#: Views on whose rays the result is compared with the teacher, and how often rounding is corrected by that.
_COMPARED, _ROUNDS = 24, 5
#: The search for the coarsest rounding ends when the error takes this share of its room; logarithms of the share
#: that it aims at, and of the greatest change of the step where only one side is known.
_ENOUGH, _AIM, _FARTHEST = 0.9, math.log(0.95), math.log(4)


@dataclass(frozen=True)
class Baked:
    """An archive, and what became of the field on the way.

    Args:
        archive: what is written.
        voxels: (x - 1, y - 1, z - 1) bool, the occupied ones.
        cells: number of macro cells that may hold something, before those were left out that no view shows.
        psnr: to the teacher, in the view where it is least, dB.
        unrounded: the same with all 8 bits.

    """

    archive: Archive
    voxels: Tensor
    cells: int
    psnr: float
    unrounded: float


def bake(model: FittedTeacher, prune: float, psnr: float | None, views: int) -> Baked:
    """Return the archive of ``model`` whose codes are rounded as far as ``psnr`` allows.

    Args:
        model: the teacher.
        prune: about what the macro cells that are left out may add to a ray.
        psnr: to the teacher, in each of some views, that is to be kept, dB; None to round nothing. Where 8 bits
            alone have less, rounding costs another 1.1 dB.
        views: number of views next to the reference cameras' that decide what images show.

    Raises:
        UserError: the teacher can't be baked.

    """
    baked = model.baked()
    field, cameras = code(baked), visited(model, views)
    header = describe(baked, field, model.cameras.width, model.cameras.height)
    everything = Evaluator(header, field, baked.occupied)
    seen = importance(everything, cameras)
    visible = everything.cells & (seen.cells * seen.depth >= prune)
    voxels = baked.occupied & voxels_of(visible, baked.shape)
    # What is behind changes no pixel by more than the light that is left: here, by the error that is allowed.
    stop = 0.0 if psnr is None else 10 ** (-psnr / 20)
    header = header.with_march(least=_NOT_LOOKED_UP / seen.depth, stop=max(stop, baked.stop_transmittance))
    evaluator = Evaluator(header, field, voxels)
    some = torch.linspace(0, len(cameras) - 1, min(_COMPARED, len(cameras))).long()
    rays = list(some_rays(evaluator, cameras[some], torch.Generator().manual_seed(1)))
    shown = [model.teacher.render(view).rgb.cpu() for view in rays]

    @torch.no_grad()
    def error(tolerance: Tensor) -> float:
        coded = evaluator.with_codes(rounded(field, voxels, tolerance))
        pairs = zip(rays, shown, strict=True)
        return max(float((coded.colours(view) - right).square().mean()) for view, right in pairs)

    exact = torch.zeros_like(field.codes, dtype=torch.int64)
    without = error(exact)
    chosen = None
    if psnr is not None:
        chosen = _coarsest(seen.codes, error, without, max(10 ** (-psnr / 10), (1 + _MORE) * without))
    tolerance, least = chosen or (exact, without)
    made = archive(header, field, voxels, tolerance)
    return Baked(made, voxels, int(everything.cells.sum()), _decibels(least), _decibels(without))


def _coarsest(
    sensitivity: Tensor, error: Callable[[Tensor], float], without: float, allowed: float
) -> tuple[Tensor, float] | None:
    """Return the greatest tolerances found whose error is ``allowed``, and that; None if none was found.

    Bits are best spent where all codes change pixels by the same amount. Errors grow with its square at first, and
    slower where most codes are off by as much as they may be: the secant between what was allowed and what was not
    finds it.
    """
    room = allowed - without
    floor = _UNSEEN * float(sensitivity[1:, 1:4].flatten().sort().values[-len(sensitivity) // 8])
    # An error that is even between +step and -step has a variance of a third of its square; those of the vertices
    # around a pixel add up, on lego to nine times that.
    step = math.sqrt(room / 3 / max(1, int((sensitivity > floor).sum())))
    best: tuple[Tensor, float] | None = None
    fine: _Tried | None = None
    coarse: _Tried | None = None
    for attempt in range(3 * _ROUNDS):
        if best is not None and (attempt >= _ROUNDS or best[1] - without > _ENOUGH * room):
            break
        tolerance = (step / (sensitivity + floor)).floor().clamp(max=255).long()
        tolerance[:, 0].clamp_(max=_MOST_OF_DENSITY)
        tolerance[0] = 0  # the row of vertices that are not stored
        found = error(tolerance)
        tried = _Tried(math.log(step), math.log(max(found - without, 1e-3 * room) / room))
        if found <= allowed:
            best, fine = (tolerance, found), tried
        else:
            coarse = tried
        step = math.exp(_next(fine, coarse))
    return best


class _Tried(NamedTuple):
    """The logarithms of a step, and of the share of the room for errors that it takes."""

    step: float
    error: float


def _next(fine: _Tried | None, coarse: _Tried | None) -> float:
    """Return the logarithm of the next step, between the coarsest allowed and the finest that is not."""
    if fine is None or coarse is None:
        only = fine or coarse
        assert only is not None
        return only.step + max(-_FARTHEST, min(_FARTHEST, (_AIM - only.error) / 2))
    between = (_AIM - fine.error) / (coarse.error - fine.error)
    return fine.step + min(0.9, max(0.1, between)) * (coarse.step - fine.step)


def _decibels(error: float) -> float:
    return -10 * math.log10(max(error, 1e-12))
