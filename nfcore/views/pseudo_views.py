"""Pseudo views: novel views that the teacher renders while the student is trained on them."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from nfcore.errors import NfcoreError
from nfcore.interfaces import RaySource, Teacher
from nfcore.interfaces.boundaries import ContractError
from nfcore.io.tensors import seeded
from nfcore.runtime.devices import device_of
from nfcore.scene.cameras import Cameras
from nfcore.views.render_ahead import RenderAhead
from nfcore.views.teacher_views import render_view
from nfcore.views.training_views import TrainingViews, opaque_window, pixels_of

# A view with less opacity everywhere is empty. Far below the opacity of objects: even faint floaters count.
_EMPTY = 1e-3


class PseudoViews(TrainingViews):
    """Novel views rendered by a teacher, the first ones before training, the others during it.

    The views available at a step depend on the step alone, not on how fast they are rendered: a training that is
    interrupted and resumed sees the same views (those rendered before the interruption are rendered again). If
    ``images`` can't store all of them, new views replace the oldest, so a long training keeps seeing new views.

    Args:
        teacher: a fitted teacher.
        source: samples the cameras.
        pixels: memory for the views, (capacity, height, width, 3) uint8 on the device where they are used; with 6
            bytes a pixel, opacity and depth are stored as well.
        count: number of different views.
        first: how many are rendered before step 0.
        per_step: how many are added per step, until there are ``count``.
        seed: seed of the cameras.
        workers: threads that render in the background; 0 renders in the training thread.

    """

    def __init__(
        self,
        teacher: Teacher,
        source: RaySource,
        pixels: Tensor,
        *,
        count: int,
        first: int,
        per_step: float,
        seed: int,
        workers: int = 1,
    ) -> None:
        self.teacher = teacher
        self.path = source.sample_cameras(count, seeded(seed))
        self.first, self.per_step = first, per_step
        capacity, height, width = pixels.shape[:3]
        self.rendered = 0
        self._ahead = RenderAhead(self._render, count, workers)
        super().__init__(
            Cameras(self.path.poses[:capacity].clone(), self.path.intrinsics[:capacity].clone(), height, width),
            pixels,
            torch.empty((capacity, 4), dtype=torch.int64),
        )

    def __len__(self) -> int:
        return min(self.rendered, len(self.images))

    def prepare(self, step: int) -> None:
        """Store the views that are due at ``step``, waiting for those that are still being rendered.

        Raises:
            NfcoreError: the teacher renders NaN, or nothing at all in the first views.

        """
        due = min(len(self.path), self.first + int(step * self.per_step))
        if due == self.rendered:
            return
        capacity, before = len(self.images), self.rendered
        indices = range(max(before, due - capacity), due)
        any_opaque = False
        for index, (pixels, window, opaque) in zip(indices, self._ahead.take(indices), strict=True):
            slot = index % capacity
            self.pixels[slot], self.windows[slot], self.ids[slot] = pixels, window, index
            self.cameras.poses[slot] = self.path.poses[index]
            self.cameras.intrinsics[slot] = self.path.intrinsics[index]
            any_opaque |= opaque
        if before == 0 and not any_opaque:
            raise NfcoreError(
                f"the teacher renders nothing in the first {len(indices)} pseudo views (opacity 0 everywhere): "
                "check near, far and box with nfcore scene; if they are right, raise teach.steps"
            )
        self.rendered = due

    def close(self) -> None:
        """Stop rendering in the background."""
        self._ahead.close()

    def _render(self, index: int) -> tuple[Tensor, Tensor, bool]:
        device = device_of(self.teacher)
        # Each thread has its own current GPU, on which a teacher's own kernels run.
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            try:
                view = render_view(self.teacher, self.path[index])
            except ContractError as fault:
                raise ContractError(fault.component, fault.rule, f"{fault.found} at pseudo view {index}") from None
        pixels = (view.rgb * 255).round().to(torch.uint8)
        if self.depth is not None:
            pixels = pixels_of(pixels.cpu(), view)
        return pixels, opaque_window(view.opacity), bool((view.opacity > _EMPTY).any())
