"""A procedural scene: known geometry, fine texture and highlights, and nothing to download."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

import nfcore
from nfcore import Cameras, OrbitRegion, Rays, Rendering, Scene, Split, UserError, Views
from nfcore.runtime import single_thread
from nfcore_scenes import still_life
from nfcore_scenes.capture_options import Unit
from nfcore_scenes.shading import shade
from nfcore_scenes.solids import length
from nfcore_scenes.tracing import trace

#: The field of view of NeRF-synthetic's cameras, radians, and their distance from the origin.
_ANGLE, _RADIUS = 0.6911, 4.0
_REGION = OrbitRegion(
    target=torch.tensor([0.0, 0.0, -0.1]),
    up=torch.tensor([0.0, 0.0, 1.0]),
    radius=(_RADIUS, _RADIUS),
    height=(0.12, 0.95),
)
#: Fractions of a turn between the splits' spirals, so that no view is in two of them.
_TURN: dict[Split, float] = {"train": 0.0, "val": 0.31, "test": 0.73}
#: Rays traced at a time: enough to amortise the overhead of each operation, few enough for the memory.
_CHUNK = 1 << 18


class Procedural(nfcore.RaySource):
    """A still life on a slice of a log, seen from the upper hemisphere like NeRF-synthetic's scenes.

    Args:
        options: number of views of each split, and the background.
        image_size: side of the square images in pixels; None is 100.

    """

    class Options(nfcore.Options):
        """Options of ``procedural``."""

        train_views: int = Field(60, ge=2, description="Number of training views")
        val_views: int = Field(8, ge=0, description="Number of validation views")
        test_views: int = Field(20, ge=1, description="Number of test views")
        background: tuple[Unit, Unit, Unit] = Field(
            (1.0, 1.0, 1.0), description="RGB in [0, 1] behind the objects"
        )

    options: Options

    def __init__(self, options: Options, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        if image_size is not None and image_size < 1:
            raise UserError(f"image_size {image_size} of ray_source 'procedural' must be 1 or more")
        self._side = image_size or 100
        self._scene = Scene(
            near=2.0, far=6.0, box=still_life.BOX, background=options.background, forward_facing=False
        )
        self._views: dict[Split, Views] = {}

    @property
    def name(self) -> str:
        """``still-life``."""
        return "still-life"

    @property
    def scene(self) -> Scene:
        """NeRF-synthetic's depth range, and a tight box around the objects."""
        return self._scene

    def views(self, split: Split) -> Views:
        """Return the views of one split, rendered on the first call; see ``nfcore.RaySource.views``."""
        if split not in self._views:
            self._views[split] = self._render_split(split)
        return self._views[split]

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` cameras in the shell of all splits; see ``nfcore.RaySource``."""
        return self._cameras(_REGION.sample(n, generator))

    def render(self, rays: Rays) -> Rendering:
        """Return the ground truth along ``rays`` (n, 3): colour, opacity (0 or 1) and depth, without antialiasing.

        Takes the same rays as ``nfcore.Teacher.render``, so a teacher's depth can be compared. Depth is
        exact to 2e-4 scene units, where a ray grazes a surface to 1e-3.
        """
        with single_thread():  # on a busy machine a second thread costs 18 times the time (measured)
            parts = [self._render_chunk(part) for part in rays.split(_CHUNK)]
        return Rendering(*(torch.cat(column) for column in zip(*parts, strict=True)))

    def _render_chunk(self, rays: Rays) -> tuple[Tensor, Tensor, Tensor]:
        origins, directions = rays.origins.T.contiguous(), rays.directions.T.contiguous()
        per_depth = length(directions)
        directions = directions / per_depth
        distance = trace(still_life.distance, origins, directions, still_life.BOX)
        hit = distance.isfinite()
        seen = directions[:, hit]
        rgb = torch.tensor(self.scene.background).repeat(len(hit), 1)
        rgb[hit] = shade(origins[:, hit] + distance[hit] * seen, seen).T
        return rgb, hit.float(), torch.where(hit, distance / per_depth, 0.0)

    def _cameras_of(self, split: Split) -> Cameras:
        counts = {
            "train": self.options.train_views,
            "val": self.options.val_views,
            "test": self.options.test_views,
        }
        return self._cameras(_spiral(counts[split], _TURN[split]))

    def _render_split(self, split: Split) -> Views:
        cameras = self._cameras_of(split)
        n = len(cameras)
        # Twice the pixels along each side, then 2x2 averages: edges and textures are antialiased.
        side = 2 * self._side
        fine = Cameras(cameras.poses, 2 * cameras.intrinsics, side, side)
        rgba = torch.empty(n, 4, self._side, self._side)
        at_once = max(1, _CHUNK // side**2)

        def render_from(first: int) -> None:
            part = slice(first, first + at_once)
            seen = self.render(fine[part].rays().flat())
            samples = torch.cat([seen.rgb, seen.opacity[:, None]], 1).reshape(-1, side, side, 4)
            rgba[part] = F.avg_pool2d(samples.permute(0, 3, 1, 2), 2)

        # Several views at once, each on one core: torch's own threads would wait for each other all the time.
        with ThreadPoolExecutor(torch.get_num_threads()) as pool, single_thread():
            list(pool.map(render_from, range(0, n, at_once)))
        images, alpha = rgba[:, :3].permute(0, 2, 3, 1).contiguous(), rgba[:, 3].contiguous()
        return Views(cameras, images, alpha, tuple(f"{split}/r_{view}" for view in range(n)))

    def _cameras(self, poses: Tensor) -> Cameras:
        focal = 0.5 * self._side / math.tan(0.5 * _ANGLE)
        intrinsics = torch.tensor([focal, focal, self._side / 2, self._side / 2])
        return Cameras(poses, intrinsics.repeat(len(poses), 1), self._side, self._side)


def _spiral(n: int, turn: float) -> Tensor:
    """Return ``n`` poses (n, 3, 4), evenly distributed on a golden-angle spiral that starts at ``turn``."""
    order = torch.arange(n, dtype=torch.float32)
    azimuth = 2 * math.pi * (turn + order * (math.sqrt(5) - 1) / 2)
    low, high = _REGION.height
    return _REGION.poses(azimuth, low + (high - low) * (order + 0.5) / max(n, 1), torch.full((n,), _RADIUS))
