"""The ray source ``splats``: views of a file of 3D Gaussians in place of photos, so that none are needed."""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

import nfcore
from nfcore import Cameras, OrbitRegion, Points, Scene, Split, UserError, Views
from nfcore.dataset import hold_out, visible_depths
from nfcore.geometry import NearbyRegion
from nfcore_splats.extent import Extent, extent
from nfcore_splats.files import Direction, read_gaussians
from nfcore_splats.gaussians import Gaussians
from nfcore_splats.rasteriser import rendering
from nfcore_splats.viewpoints import around, lens, read_cameras

Unit = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=-89, le=89)]
_AXES: dict[str, Direction] = {
    "x": (1, 0, 0), "-x": (-1, 0, 0), "y": (0, 1, 0), "-y": (0, -1, 0), "z": (0, 0, 1), "-z": (0, 0, -1),
}  # fmt: skip
_SIDE = 400
# Shares of a turn between the splits' spirals, so that no view is in two of them.
_TURN: dict[Split, float] = {"train": 0.0, "val": 0.31, "test": 0.73}
# Of cameras from a file, every so many are test views, and of the rest validation views.
_TEST_EVERY, _VAL_EVERY = 8, 16
_MOST_POINTS = 100_000
# Depths of what cameras of a file see: shares of the Gaussians before near and beyond far, and a margin.
_STRAY, _MARGIN, _CAMERAS = 0.002, 1.2, 16


class SplatScene(nfcore.RaySource):
    """A file of 3D Gaussians as a scene: its views are drawn at cameras around it, or at those of a file.

    Args:
        options: the file, and from where it is seen.
        image_size: the longer side of the views in pixels; None is that of the file of cameras, else 400.

    """

    class Options(nfcore.Options):
        """Options of the ray source ``splats``."""

        path: Path = Field(description="File of Gaussians (.ply, .splat, .spz, .sog), or folder with SOG")
        cameras: Path | None = Field(
            None, description="cameras.json of the reference code, or a camera path; by default, orbits around it"
        )
        train_views: int = Field(100, ge=2, le=100_000, description="Number of training views of an orbit")
        val_views: int = Field(4, ge=0, le=100_000, description="Number of validation views of an orbit")
        test_views: int = Field(25, ge=1, le=100_000, description="Number of test views of an orbit")
        up: Literal["x", "-x", "y", "-y", "z", "-z"] | None = Field(
            None, description="The file's axis that points up; by default y in SPZ, -y in the others"
        )
        elevation: tuple[Degrees, Degrees] = Field(
            (-15.0, 75.0), description="Least and greatest elevation of an orbit, degrees"
        )
        distance: float = Field(
            1.0, gt=0.05, le=100, description="Distance of an orbit, 1 where all of the file just fits into a view"
        )
        field_of_view: float = Field(45.0, ge=5, le=120, description="Field of view of an orbit, degrees")
        background: tuple[Unit, Unit, Unit] = Field((1.0, 1.0, 1.0), description="RGB in [0, 1] behind everything")

    options: Options

    def __init__(self, options: Options, image_size: int | None = None) -> None:
        super().__init__(options, image_size)
        if image_size is not None and image_size < 1:
            raise UserError(f"image_size {image_size} of ray_source 'splats' must be 1 or more")
        if options.elevation[0] > options.elevation[1]:
            raise UserError(f"elevation {options.elevation} of ray_source 'splats': the least comes first")
        file = read_gaussians(options.path)
        self.gaussians = file.gaussians
        self._notes = file.notes
        self._up = torch.tensor(file.up if options.up is None else _AXES[options.up])
        self._extent = extent(file.gaussians, str(options.path))
        self._views: dict[Split, Views] = {}

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.options.path.resolve().stem[:64] or "splats"

    @cached_property
    def scene(self) -> Scene:
        """A box around most Gaussians, and the depths at which the cameras see them."""
        found = self._extent
        if self.options.cameras is None and not found.surrounded:
            near = max(self._region.radius[0] - found.radius, 0.02 * self._region.radius[0])
            far = self._region.radius[0] + found.radius
        else:
            near, far = _depths(self.gaussians, self._cameras["train"])
        unbounded = found.surrounded
        return Scene(near=near, far=far, box=found.box, background=self.options.background, unbounded=unbounded)

    @cached_property
    def points(self) -> Points:
        """The means of some Gaussians that are more than half opaque, and their colours from the side."""
        solid = (self.gaussians.opacity_logits > 0).nonzero()[:, 0]
        chosen = torch.randperm(len(solid), generator=torch.Generator().manual_seed(0))[:_MOST_POINTS]
        some = self.gaussians.chosen(solid[chosen])
        eye = self._cameras["train"].poses[0, :, 3]
        return Points(some.means, some.colours(eye).clamp(0, 1))

    @property
    def notes(self) -> tuple[str, ...]:
        """Gaussians that were left out, and what orbits do not show."""
        if self.options.cameras is not None or not self._extent.surrounded:
            return self._notes
        advice = "the file has a background: cameras on orbits may be inside of things; name its cameras.json"
        return (*self._notes, f"{advice} with cameras=FILE")

    def views(self, split: Split) -> Views:
        """Return the views of one split, drawn on the first call; see ``nfcore.RaySource``."""
        if split not in self._views:
            cameras = self._cameras[split]
            seen = rendering(self.gaussians, cameras, self.options.background)
            alpha = None if self.scene.unbounded else seen.opacity
            names = tuple(f"{split}/{index}" for index in range(len(cameras)))
            self._views[split] = Views(cameras, seen.rgb, alpha, names)
        return self._views[split]

    def sample_cameras(self, n: int, generator: torch.Generator) -> Cameras:
        """Return ``n`` novel cameras on the orbits, or between those of the file; see ``nfcore.RaySource``."""
        if self.options.cameras is not None:
            return NearbyRegion.around(self._cameras["train"]).sample(n, generator)
        return lens(self._region.sample(n, generator), self.options.field_of_view, self._side)

    @property
    def _side(self) -> int:
        return self.image_size or _SIDE

    @cached_property
    def _region(self) -> OrbitRegion:
        found: Extent = self._extent
        fits = found.radius / math.sin(math.radians(self.options.field_of_view) / 2)
        radius = self.options.distance * fits
        low, high = (math.sin(math.radians(degrees)) for degrees in self.options.elevation)
        return OrbitRegion(found.centre, self._up.float(), (radius, radius), (low, high))

    @cached_property
    def _cameras(self) -> dict[Split, Cameras]:
        """The cameras of each split."""
        options = self.options
        if options.cameras is None:
            counts: dict[Split, int] = {
                "train": options.train_views, "val": options.val_views, "test": options.test_views,
            }  # fmt: skip
            return {
                split: around(self._region, counts[split], turn, options.field_of_view, self._side)
                for split, turn in _TURN.items()
            }
        own = lens(self._region.circle(1), options.field_of_view, self._side)
        known = read_cameras(options.cameras, own)
        if self.image_size is not None:
            factor = self.image_size / max(known.height, known.width)
            known = known.resized(max(1, round(factor * known.height)), max(1, round(factor * known.width)))
        split = hold_out(range(len(known)), _TEST_EVERY, _VAL_EVERY, str(options.cameras))
        return {name: known[list(indices)] for name, indices in split.items()}


def _depths(gaussians: Gaussians, cameras: Cameras) -> tuple[float, float]:
    """Return near and far of what the cameras see, with a margin, scene units."""
    solid = (gaussians.opacity_logits > 0).nonzero()[:, 0]
    depths = visible_depths(cameras[:: max(1, len(cameras) // _CAMERAS)], gaussians.means[solid])
    if not len(depths):
        raise UserError("the cameras see none of the Gaussians: they are of another scene, or of another world")
    near, far = (float(depths[round(share * (len(depths) - 1))]) for share in (_STRAY, 1 - _STRAY))
    return max(near / _MARGIN, 1e-4), far * _MARGIN
