"""Batches for training a student: crops from several views, each with a camera of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nfcore.io.tensors import State
from nfcore.scene.cameras import Cameras
from nfcore.views.error_weighted_sampling import TileErrors
from nfcore.views.training_views import TrainingViews

# Share of crops drawn from the whole view; the others overlap the opaque part, where the error is.
_ANYWHERE = 0.1


@dataclass(frozen=True)
class CropRule:
    """How crops are drawn.

    Args:
        batch: crops per step, each from a view drawn with replacement.
        side: side in rays; None takes whole views (less one ray where they are shifted).
        scale: pixels per ray along each side.
        shift: crops may start at any pixel, not only at multiples of ``scale``.
        hard: share of crops drawn from tiles in proportion to the student's running error on them.

    """

    batch: int
    side: int | None
    scale: int
    shift: bool = False
    hard: float = 0.0


@dataclass(frozen=True)
class Batch:
    """The training data of one step.

    Args:
        cameras: n cameras.
        images: (n, 3, h, w) float32 in [0, 1], on the device of the views; NaN where a mask ignores a pixel.
        opacity: (n, 1, h, w) float32 in [0, 1], the teacher's; None where the views do not store it.
        depth: (n, 1, h, w) float32, the teacher's; None where the views do not store it.

    """

    cameras: Cameras
    images: Tensor
    opacity: Tensor | None
    depth: Tensor | None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on ``device``."""
        return self._with(self.cameras.to(device), lambda tensor: tensor.to(device))

    def __getitem__(self, share: slice) -> Batch:
        return self._with(self.cameras[share], lambda tensor: tensor[share])

    def filled(self, images: Tensor) -> Batch:
        """Return the batch with ignored pixels replaced by those of ``images``: no error, no gradient."""
        return replace(self, images=torch.where(self.images.isnan(), images.detach(), self.images))

    def _with(self, cameras: Cameras, change: Callable[[Tensor], Tensor]) -> Batch:
        opacity, depth = (None if t is None else change(t) for t in (self.opacity, self.depth))
        return Batch(cameras, change(self.images), opacity, depth)


@dataclass(frozen=True)
class Crops(Batch):
    """A batch of crops, and the window of each in its view.

    Args:
        view: (n,) int64, each crop's view.
        windows: (n, 4) int64 pixels of that view: top, left, bottom, right.

    """

    view: Tensor
    windows: Tensor


@dataclass(frozen=True)
class PhotoMixing:
    """Photos that are mixed with the pseudo views towards the end of training.

    Args:
        views: the photos.
        share: share of crops that come from them.
        begin: progress of the training, in [0, 1], from which they are mixed in.

    """

    views: TrainingViews
    share: float
    begin: float


class CropSampler:
    """Samples the batches of one training.

    Args:
        views: where to crop from.
        rule: how to crop.
        generator: the only source of randomness.
        photos: photos to mix in, if any.

    Attributes:
        last: the crops of pseudo views in the last batch; None if it had none.

    """

    def __init__(
        self,
        views: TrainingViews,
        rule: CropRule,
        generator: torch.Generator,
        photos: PhotoMixing | None = None,
    ) -> None:
        self.views, self.rule, self.generator, self.photos = views, rule, generator, photos
        self.tile_errors = TileErrors(views) if rule.hard else None
        self.last: Crops | None = None

    def draw(self, progress: float) -> Batch:
        """Return the crops of one step.

        Args:
            progress: how much of the training is done, in [0, 1).

        """
        batch, photos = self.rule.batch, self.photos
        from_photos = 0
        if photos and progress >= photos.begin:
            from_photos = int((torch.rand(batch, generator=self.generator) < photos.share).sum())
        parts = []
        if from_photos < batch:
            self.last = sample_crops(self.views, batch - from_photos, self.rule, self.generator, self.tile_errors)
            parts.append(self.last)
        else:
            self.last = None
        if photos and from_photos:
            parts.append(sample_crops(photos.views, from_photos, self.rule, self.generator))
        return parts[0] if len(parts) == 1 else _joined(parts)

    @property
    def uses_errors(self) -> bool:
        """Whether ``update_errors`` is needed: copying errors from a GPU takes time."""
        return self.tile_errors is not None

    def update_errors(self, errors: Tensor) -> None:
        """Update the running errors with the mean squared error (batch,) of each crop of the last batch."""
        if self.tile_errors and self.last:
            pseudo = errors[: len(self.last.view)].detach().cpu()  # photos come last
            self.tile_errors.update(self.last.view, self.last.windows, pseudo)

    def state(self) -> State:
        """Return the state that changes from step to step, except for the generator."""
        return self.tile_errors.state() if self.tile_errors else None

    def restore(self, state: State) -> None:
        """Resume from a state."""
        if self.tile_errors:
            self.tile_errors.restore(state)


def sample_crops(
    views: TrainingViews,
    count: int,
    rule: CropRule,
    generator: torch.Generator,
    tile_errors: TileErrors | None = None,
) -> Crops:
    """Return ``count`` random crops.

    Args:
        views: where to crop from.
        count: how many; the rule's ``batch`` is ignored.
        rule: how they are drawn.
        generator: the only source of randomness.
        tile_errors: the running error of each tile; None draws no hard crops.

    """
    height, width = views.cameras.height, views.cameras.width
    size = tuple(_side(side, rule) for side in (height, width))
    index = torch.randint(len(views), (count,), generator=generator)
    chosen = views.windows[index]
    free = torch.rand(count, generator=generator) < _ANYWHERE
    chosen[free] = torch.tensor([0, 0, height, width])
    if tile_errors:
        hard = int((torch.rand(count, generator=generator) < rule.hard).sum())
        index[:hard], chosen[:hard] = tile_errors.draw(hard, generator) if hard else (index[:0], chosen[:0])
    corners = []
    for axis, side in enumerate((height, width)):
        last = side - size[axis]
        middle = chosen[:, axis::2] - size[axis] // 2
        first, final = middle.clamp(0, last).unbind(1)
        drawn = (torch.rand(count, generator=generator) * (final - first + 1)).long()
        corner = torch.minimum(first + drawn, final)  # rarely, the product is rounded up
        corners.append(corner if rule.shift else corner // rule.scale * rule.scale)
    top, left = corners
    places = list(zip(index.tolist(), top.tolist(), left.tolist(), strict=True))

    def cut(stored: Tensor) -> Tensor:
        return torch.stack([stored[i, y : y + size[0], x : x + size[1]] for i, y, x in places])

    images = cut(views.images).permute(0, 3, 1, 2).float() / 255
    if views.masks is not None:
        images = images.masked_fill(cut(views.masks)[:, None], math.nan)
    return Crops(
        views.cameras[index].cropped(top, left, *size),
        images,
        None if views.opacity is None else cut(views.opacity)[:, None].float() / 255,
        None if views.depth is None else cut(views.depth)[:, None].float(),
        index,
        torch.stack([top, left, top + size[0], left + size[1]], dim=1),
    )


def _joined(parts: Sequence[Batch]) -> Batch:
    """Concatenate batches that store the same tensors."""
    first = parts[0]
    cameras = Cameras(
        torch.cat([part.cameras.poses for part in parts]),
        torch.cat([part.cameras.intrinsics for part in parts]),
        first.cameras.height,
        first.cameras.width,
    )
    opacity, depth = (
        torch.cat([tensor for tensor in tensors if tensor is not None]) if tensors[0] is not None else None
        for tensors in ([part.opacity for part in parts], [part.depth for part in parts])
    )
    return Batch(cameras, torch.cat([part.images for part in parts]), opacity, depth)


def _side(side: int, rule: CropRule) -> int:
    """Return the crop's side in pixels."""
    whole = side - rule.scale if rule.shift and side > rule.scale else side
    return min(rule.side * rule.scale, whole) if rule.side else whole
