"""A fitted teacher as a ray source: its renderings in place of the training photos.

A teacher that can be baked is fitted to the views of one that can't: it sees what that one has learned, from as
many cameras as it takes, and is scored on the same photos.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

import nfcore
import nfcore.runs
from nfcore import Cameras, Points, RaySource, Scene, Split, UserError, Views
from nfcore.io import to_bytes
from nfcore.views import render_view
from nfcore_scenes.photo_cache import content_key, kept


class TeacherViews(RaySource):
    """The views of a run's fitted teacher; its validation images and test views are the run's own photos.

    Training views are rendered at the cameras of the photos and then at novel ones, once: they are cached in the
    user's cache folder, in 8 bits. The teacher's opacity is their alpha in a scene with a box.

    Args:
        options: the run and the number of views.
        image_size: of all views, in pixels; None is the run's own.

    Raises:
        UserError: there is no run, or it has no teacher yet.

    """

    class Options(nfcore.Options):
        """Options of ``teacher-views``."""

        path: Path = Field(description="Folder of a run with a fitted teacher")
        views: int = Field(100, ge=2, description="Number of views that the teacher renders for training")

    options: Options

    def __init__(self, options: Options, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        self._run = nfcore.runs.open(options.path)
        self._run.require("teach")
        scene = self._run.config.scene
        size = image_size or self._run.config.image_size
        self._photos: RaySource = nfcore.plugins().build("ray_source", scene.name, scene.options, size)
        if isinstance(self._photos, TeacherViews):
            raise UserError(f"{options.path}: its scene is a teacher too: name the run that has photos")

    @property
    def name(self) -> str:
        """The name of the run's scene."""
        return self._photos.name

    @property
    def scene(self) -> Scene:
        """The bounds of the run's scene."""
        return self._photos.scene

    @property
    def points(self) -> Points | None:
        """The sparse points of the run's scene."""
        return self._photos.points

    def views(self, split: Split) -> Views:
        """Return the teacher's views for training, and the run's photos of the other splits."""
        return self._rendered if split == "train" else self._photos.views(split)

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` novel cameras of the run's scene."""
        return self._photos.sample_cameras(n, generator)

    @cached_property
    def _rendered(self) -> Views:
        cameras = self._cameras()
        settings = f"teacher-views {len(cameras)} {cameras.height}x{cameras.width} {self._photos.name}"
        pixels = (
            torch.from_numpy(kept(content_key([self._run.run.teacher_file], settings), self._render)).float() / 255
        )
        alpha = None if self.scene.forward_facing or self.scene.unbounded else pixels[..., 3].contiguous()
        return Views(cameras, pixels[..., :3].contiguous(), alpha, tuple(f"view{i}" for i in range(len(cameras))))

    def _cameras(self) -> Cameras:
        """Return the photos' cameras, evenly spaced if there are too many, and novel ones if there are too few."""
        known, n = self._photos.views("train").cameras, self.options.views
        if len(known) >= n:
            return known[[i * len(known) // n for i in range(n)]]
        novel = self.sample_cameras(n - len(known), torch.Generator().manual_seed(0))
        poses, intrinsics = (
            torch.cat([getattr(cameras, what) for cameras in (known, novel)]) for what in ("poses", "intrinsics")
        )
        return Cameras(poses, intrinsics, known.height, known.width)

    def _render(self) -> NDArray[np.uint8]:
        """Return the teacher's views, (n, height, width, 4): colour on the background, then opacity."""
        cameras, teacher = self._cameras(), self._run.teacher
        pixels: NDArray[Any] = np.empty((len(cameras), cameras.height, cameras.width, 4), np.uint8)
        for index, camera in enumerate(cameras):
            seen = render_view(teacher, camera)
            pixels[index] = to_bytes(torch.cat([seen.rgb, seen.opacity[..., None].clamp(0, 1)], 2).cpu())
        return pixels
