"""Error-weighted sampling: tiles of views are drawn in proportion to the student's running error on them."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.io.tensors import State
from nfcore.views.training_views import TrainingViews

_TILES = 6  # along each side of a view: about the size of the crops that small students are trained on
_MEMORY = 0.7  # weight of the old error when a tile is seen again
_UNSEEN = -1.0


class TileErrors:
    """The student's running error on each tile of each view.

    R2L (Wang et al. 2022, section 3.3) keeps a pool of hard rays; here, whole tiles are sampled again, because a
    student with an upsampler is trained on crops. A tile that was never seen counts as much as the average one.

    Args:
        views: the training views; their number may grow, and views may be replaced.

    """

    def __init__(self, views: TrainingViews) -> None:
        self.views = views
        self.errors = torch.full((len(views.images), _TILES, _TILES), _UNSEEN)
        self.ids = views.ids.clone()

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return ``count`` tiles: their views (count,), and their windows (count, 4) in pixels."""
        n = len(self.views)
        replaced = self.ids[:n] != self.views.ids[:n]
        self.errors[:n][replaced] = _UNSEEN
        self.ids[:n] = self.views.ids[:n]
        errors = self.errors[:n].flatten()
        seen = errors[errors != _UNSEEN]
        average = seen.mean() if len(seen) else torch.ones(())
        # So that the weights are never all zero.
        weights = torch.where(errors == _UNSEEN, average, errors) + 1e-12
        tile = torch.multinomial(weights, count, replacement=True, generator=generator)
        view, row, column = torch.unravel_index(tile, (n, _TILES, _TILES))
        windows = [at * side // _TILES for at, side in self._sides(row, column)]
        windows += [(at + 1) * side // _TILES for at, side in self._sides(row, column)]
        return view, torch.stack(windows, dim=1)

    def update(self, view: Tensor, windows: Tensor, errors: Tensor) -> None:
        """Update the running errors with those (n,) of crops: ``windows`` (n, 4) of the views ``view`` (n,)."""
        height, width = self.views.cameras.height, self.views.cameras.width
        top, left, bottom, right = windows.unbind(1)
        places = zip(
            view.tolist(),
            (top * _TILES // height).tolist(),
            (left * _TILES // width).tolist(),
            ((bottom - 1) * _TILES // height).tolist(),
            ((right - 1) * _TILES // width).tolist(),
            errors.tolist(),
            strict=True,
        )
        for index, first_row, first_column, last_row, last_column, error in places:
            tiles = self.errors[index, first_row : last_row + 1, first_column : last_column + 1]
            tiles.copy_(torch.where(tiles == _UNSEEN, error, _MEMORY * tiles + (1 - _MEMORY) * error))

    def state(self) -> State:
        """Return the state for a checkpoint."""
        return {"errors": self.errors, "ids": self.ids}

    def restore(self, state: State) -> None:
        """Resume from a state."""
        self.errors.copy_(state["errors"])
        self.ids.copy_(state["ids"])

    def _sides(self, row: Tensor, column: Tensor) -> tuple[tuple[Tensor, int], tuple[Tensor, int]]:
        return (row, self.views.cameras.height), (column, self.views.cameras.width)
