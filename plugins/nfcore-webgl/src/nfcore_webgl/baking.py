"""From a fitted teacher to an archive: code in 8 bits, find out what images show, leave out and round the rest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nfcore import FittedTeacher
from nfcore_webgl.archive import Archive, archive
from nfcore_webgl.cells import occupied_cells
from nfcore_webgl.coding import code
from nfcore_webgl.evaluator import Evaluator
from nfcore_webgl.visibility import visibility, visited

#: A vertex that no view shows is rounded as if some had shown it with this weight.
_UNSEEN = 1e-3


@dataclass(frozen=True)
class Baked:
    """An archive, and what became of the field on the way.

    Args:
        archive: what is written.
        cells: macro cells that may hold something, before those were left out that no view shows.
        visible: those that are left.

    """

    archive: Archive
    cells: Tensor
    visible: Tensor


def bake(model: FittedTeacher, prune: float, rounding: float, views: int) -> Baked:
    """Return the archive of ``model``.

    Args:
        model: the teacher.
        prune: about what the macro cells that are left out may add to a ray.
        rounding: how much, in steps of 8 bits, the rounding of vertices may change a pixel.
        views: number of views next to the reference cameras' that tell what images show.

    Raises:
        UserError: the teacher can't be baked.

    """
    baked = model.baked()
    field, cells = code(baked), occupied_cells(baked.occupied)
    width, height = model.cameras.width, model.cameras.height
    everything = archive(baked, field, cells, _exact, width, height)
    seen = visibility(Evaluator(everything.header, field, cells), visited(model, views))
    # What is left out and what is rounded adds up over the samples of a ray.
    depth = max(1.0, seen.depth)
    visible = cells & (seen.cells * depth > prune)
    weights = seen.vertices.view(-1).clamp_min(_UNSEEN) * depth

    def tolerance(vertices: Tensor) -> Tensor:
        return (rounding / weights[vertices]).floor().clamp(max=255)

    return Baked(archive(baked, field, visible, tolerance, width, height), cells, visible)


def _exact(vertices: Tensor) -> Tensor:
    return torch.zeros(len(vertices))
