"""For each rule of ray sources, one that breaks it and no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import right
import torch
from pydantic import Field
from wrong_options import wrong_options

from nfcore import Cameras, Points, ViewMetadata
from nfcore.testing import RaySourceConformance


class Spoilt(right.Source):
    """Shows what ``spoil`` makes of the right views."""

    def views(self, split):
        return self.spoil(split, super().views(split))


def with_poses(views, poses):
    cameras = Cameras(poses, views.cameras.intrinsics, views.cameras.height, views.cameras.width)
    return dataclasses.replace(views, cameras=cameras)


class NamedLikeAPath(right.Source):
    name = "scenes/sphere"


class ChangesItsScene(right.Source):
    def views(self, split):
        self.loaded = True
        return super().views(split)

    @property
    def scene(self):
        far = 7.0 if hasattr(self, "loaded") else 6.0
        return super().scene.model_copy(update={"far": far})


class OpenCVAxes(Spoilt):
    def spoil(self, split, views):
        return with_poses(views, views.cameras.poses * torch.tensor([1.0, -1.0, -1.0, 1.0]))


class Scaled(Spoilt):
    def spoil(self, split, views):
        return with_poses(views, views.cameras.poses * torch.tensor([1.1, 1.1, 1.1, 1.0]))


class LooksAlike:
    """Has all that views have."""

    def __init__(self, views) -> None:
        self.__dict__.update(vars(views))

    def __len__(self) -> int:
        return len(self.names)


class ViewsOfItsOwn(Spoilt):
    def spoil(self, split, views):
        return LooksAlike(views)


class NoFocus(Spoilt):
    def spoil(self, split, views):
        if split != "val":
            return views
        intrinsics = views.cameras.intrinsics * torch.tensor([1.0, 1.0, torch.nan, 1.0])
        cameras = Cameras(views.cameras.poses, intrinsics, views.cameras.height, views.cameras.width)
        return dataclasses.replace(views, cameras=cameras)


class CutsARow(Spoilt):
    def spoil(self, split, views):
        return dataclasses.replace(views, images=views.images[:, 1:], alpha=None) if split == "val" else views


class DeadPixel(Spoilt):
    def spoil(self, split, views):
        images = views.images.clone()
        images[0, 0, 0] = torch.nan
        return dataclasses.replace(views, images=images)


class Double(Spoilt):
    def spoil(self, split, views):
        return dataclasses.replace(views, images=views.images.double())


class TooBright(Spoilt):
    def spoil(self, split, views):
        return dataclasses.replace(views, images=views.images + (views.alpha > 0.5)[..., None])


class AlphaInBytes(Spoilt):
    def spoil(self, split, views):
        return dataclasses.replace(views, alpha=(255 * views.alpha).to(torch.uint8))


class OnWhite(Spoilt):
    def spoil(self, split, views):
        return dataclasses.replace(views, images=torch.where(views.alpha[..., None] == 0, 1.0, views.images))


class OneName(Spoilt):
    def spoil(self, split, views):
        return dataclasses.replace(views, names=("photo",) * len(views))


class OnePhoto(Spoilt):
    def spoil(self, split, views):
        return views.chosen([0]) if split == "train" else views


class TestsOnTraining(right.Source):
    def views(self, split):
        return super().views("train").chosen([0, 1]) if split == "test" else super().views(split)


class Reverses(Spoilt):
    seen = False

    def spoil(self, split, views):
        if split != "train" or not self.seen:
            self.seen |= split == "train"
            return views
        return dataclasses.replace(
            with_poses(views, views.cameras.poses.flip(0)), images=views.images.flip(0), names=views.names[::-1]
        )


class OneSize(right.Source):
    def __init__(self, options, image_size=None) -> None:
        super().__init__(options)


class FixedFocus(Spoilt):
    def spoil(self, split, views):
        cameras = views.cameras
        scale = 24 / max(cameras.height, cameras.width)
        zoomed = Cameras(cameras.poses, cameras.intrinsics * scale, cameras.height, cameras.width)
        return dataclasses.replace(views, cameras=zoomed)


class SmallNovelViews(right.Source):
    def sample_cameras(self, n, generator):
        cameras = super().sample_cameras(n, generator)
        return Cameras(cameras.poses, cameras.intrinsics, cameras.height // 2, cameras.width // 2)


class OneNovelView(right.Source):
    def sample_cameras(self, n, generator):
        return super().sample_cameras(1, generator)[[0] * n]


class OwnGenerator(right.Source):
    own = torch.Generator()

    def sample_cameras(self, n, generator):
        return super().sample_cameras(n, self.own)


class DrawsGlobally(right.Source):
    def sample_cameras(self, n, generator):
        torch.rand(1)
        return super().sample_cameras(n, generator)


class MasksAtOneSize(Spoilt):
    def spoil(self, split, views):
        masks = torch.zeros(views.images.shape[:3], dtype=torch.bool)
        if views.cameras.height >= 24:
            masks[:, 6:18, 6:18] = True
        return dataclasses.replace(views, masks=masks)


class NegativeExposure(Spoilt):
    def spoil(self, split, views):
        return dataclasses.replace(views, metadata=(ViewMetadata(exposure=-0.02),) * len(views))


class PointsBehindTheCameras(right.Source):
    @property
    def points(self):
        return Points(torch.randn(40, 3, generator=torch.Generator().manual_seed(0)) + 100, torch.zeros(40, 3))


class NotesOfSeveralLines(right.Source):
    notes = ("two photos\nare missing",)


class RawErrors(right.Source):
    class Options(right.Source.Options):
        path: Path | None = Field(None, description="Folder of the photos")

    def views(self, split):
        if self.options.path:
            (self.options.path / "poses.json").read_text()
        return super().views(split)


WRONG = {
    **wrong_options(right.Source),
    "ray_source.name": NamedLikeAPath,
    "ray_source.scene": ChangesItsScene,
    "ray_source.poses-opengl": OpenCVAxes,
    "ray_source.poses-rigid": Scaled,
    "ray_source.views": ViewsOfItsOwn,
    "ray_source.cameras-finite": NoFocus,
    "ray_source.image-shape": CutsARow,
    "ray_source.image-dtype": Double,
    "ray_source.image-finite": DeadPixel,
    "ray_source.image-range": TooBright,
    "ray_source.alpha": AlphaInBytes,
    "ray_source.background": OnWhite,
    "ray_source.names": OneName,
    "ray_source.splits": OnePhoto,
    "ray_source.disjoint": TestsOnTraining,
    "ray_source.order": Reverses,
    "ray_source.image-size": OneSize,
    "ray_source.field-of-view": FixedFocus,
    "ray_source.novel-cameras": SmallNovelViews,
    "ray_source.novel-rigid": OneNovelView,
    "ray_source.novel-repeatable": OwnGenerator,
    "ray_source.random-state": DrawsGlobally,
    "ray_source.masks": MasksAtOneSize,
    "ray_source.metadata": NegativeExposure,
    "ray_source.points": PointsBehindTheCameras,
    "ray_source.notes": NotesOfSeveralLines,
    "ray_source.missing-data": RawErrors,
}
KIT, RIGHT = RaySourceConformance, right.Source
