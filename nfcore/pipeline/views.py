"""The views that a student is trained on: photos, or pseudo views that the teacher renders as they are needed."""

from __future__ import annotations

import torch
from torch import Tensor

from nfcore.cameras import Cameras
from nfcore.devices import device_of
from nfcore.errors import NfcoreError
from nfcore.interfaces import RaySource, Teacher, Views
from nfcore.states import seeded

_GIB = 1 << 30
_RAYS_PER_CALL = 1 << 18


class TrainingViews:
    """Views kept as 8-bit RGB, with the window of each in which something stands before the background.

    Args:
        cameras: n cameras.
        images: (n, height, width, 3) uint8 RGB.
        windows: (n, 4) int64 pixels: top, left, bottom, right.

    """

    def __init__(self, cameras: Cameras, images: Tensor, windows: Tensor) -> None:
        self.cameras = cameras
        self.images = images
        self.windows = windows

    @classmethod
    def of_photos(cls, views: Views, chosen: Tensor | None = None) -> TrainingViews:
        """Return photos as training views: all, or those whose indices are ``chosen``."""
        index = torch.arange(len(views)) if chosen is None else chosen
        images = torch.stack([(views.images[i] * 255).round().to(torch.uint8) for i in index])
        if views.alpha is None:
            windows = torch.tensor([0, 0, *images.shape[1:3]]).repeat(len(index), 1)
        else:
            windows = torch.stack([opaque_window(views.alpha[i]) for i in index])
        return cls(views.cameras[index], images, windows)

    def __len__(self) -> int:
        return len(self.images)

    def prepare(self, step: int) -> None:
        """Have the views ready that training may draw from at ``step``; for photos, all of them always are."""


class PseudoViews(TrainingViews):
    """Novel views rendered by a teacher, the first ones before training, the others while it goes on.

    How many there are at a step depends on the step alone, so an interrupted training that goes on sees what it
    would have seen: views that the earlier process had rendered are rendered again. Where ``count`` views don't
    fit into ``memory``, new views replace the oldest: a long training goes on seeing views it has never seen.

    Args:
        teacher: a fitted teacher.
        source: gives the cameras.
        count: number of different views.
        first: how many are rendered before step 0.
        per_step: how many are added per step, until there are ``count``.
        memory: GiB that the views may take.
        seed: seed of the cameras.

    """

    def __init__(
        self,
        teacher: Teacher,
        source: RaySource,
        *,
        count: int,
        first: int,
        per_step: float,
        memory: float,
        seed: int,
    ) -> None:
        self.teacher = teacher
        self.path = source.sample_cameras(count, seeded(seed))
        self.first, self.per_step = first, per_step
        height, width = self.path.height, self.path.width
        capacity = min(count, int(memory * _GIB / (height * width * 3)))
        if capacity < 1:
            raise NfcoreError(
                f"no pseudo view of {height}x{width} fits into distill.view_memory = {memory} GiB: raise it"
            )
        self.rendered = 0
        super().__init__(
            Cameras(self.path.poses[:capacity].clone(), self.path.intrinsics[:capacity].clone(), height, width),
            torch.empty((capacity, height, width, 3), dtype=torch.uint8),  # memory is taken when it is written
            torch.empty((capacity, 4), dtype=torch.int64),
        )

    def __len__(self) -> int:
        return min(self.rendered, len(self.images))

    def prepare(self, step: int) -> None:
        """Render the views that are due at ``step`` and not yet there."""
        capacity = len(self.images)
        due = min(len(self.path), self.first + int(step * self.per_step))
        for index in range(max(self.rendered, due - capacity), due):
            slot = index % capacity
            self.images[slot], self.windows[slot] = self._render(index)
            self.cameras.poses[slot] = self.path.poses[index]
            self.cameras.intrinsics[slot] = self.path.intrinsics[index]
        self.rendered = due

    def _render(self, index: int) -> tuple[Tensor, Tensor]:
        rgb, opacity = render_view(self.teacher, self.path[index])
        if not torch.isfinite(rgb).all():
            raise NfcoreError(f"the teacher renders NaN at pseudo view {index}: teach it again, with another seed")
        return (rgb * 255).round().to(torch.uint8), opaque_window(opacity)


@torch.no_grad()
def render_view(teacher: Teacher, camera: Cameras) -> tuple[Tensor, Tensor]:
    """Return what the teacher sees through one camera: RGB (h, w, 3) in [0, 1] and opacity (h, w)."""
    parts = [teacher.render(rays) for rays in camera.to(device_of(teacher)).rays().flat().split(_RAYS_PER_CALL)]
    rgb = torch.cat([part.rgb for part in parts]).clamp(0, 1)
    opacity = torch.cat([part.opacity for part in parts])
    shape = (camera.height, camera.width)
    return rgb.reshape(*shape, 3), opacity.reshape(shape)


def opaque_window(opacity: Tensor, threshold: float = 0.01) -> Tensor:
    """Return the smallest window (4,) around all pixels of (h, w) over ``threshold``, or the whole view."""
    rows = (opacity > threshold).any(1).nonzero()[:, 0]
    columns = (opacity > threshold).any(0).nonzero()[:, 0]
    if not len(rows):
        return torch.tensor([0, 0, *opacity.shape])
    return torch.stack([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
