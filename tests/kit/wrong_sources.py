"""For each standard test of ray sources, one that fails it and no other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import right
import torch
from pydantic import Field
from wrong_options import wrong_options

from nfcore import Cameras
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
        return first(views, 1) if split == "train" else views


def first(views, n: int):
    return dataclasses.replace(
        views, cameras=views.cameras[:n], images=views.images[:n], alpha=views.alpha[:n], names=views.names[:n]
    )


class TestsOnTraining(right.Source):
    def views(self, split):
        return first(super().views("train"), 2) if split == "test" else super().views(split)


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


class RawErrors(right.Source):
    class Options(right.Source.Options):
        path: Path | None = Field(None, description="Folder of the photos")

    def views(self, split):
        if self.options.path:
            (self.options.path / "poses.json").read_text()
        return super().views(split)


WRONG = {
    **wrong_options(right.Source),
    "test_its_name_can_name_a_folder": NamedLikeAPath,
    "test_its_scene_is_the_same_on_every_access": ChangesItsScene,
    "test_its_cameras_look_at_the_scene": OpenCVAxes,
    "test_its_poses_are_rigid": Scaled,
    "test_its_images_have_the_size_of_its_cameras": Double,
    "test_its_colours_are_in_0_to_1": TooBright,
    "test_its_alpha_fits_its_images": AlphaInBytes,
    "test_where_alpha_is_0_it_shows_the_background": OnWhite,
    "test_each_photo_has_a_name": OneName,
    "test_it_has_views_to_train_on_and_to_test": OnePhoto,
    "test_no_photo_is_in_two_splits": TestsOnTraining,
    "test_its_photos_come_in_a_fixed_order": Reverses,
    "test_its_photos_have_the_size_that_was_asked_for": OneSize,
    "test_scaling_keeps_the_field_of_view": FixedFocus,
    "test_novel_cameras_have_the_photos_size_and_focus": SmallNovelViews,
    "test_novel_cameras_are_rigid": OneNovelView,
    "test_the_same_generator_gives_the_same_novel_cameras": OwnGenerator,
    "test_novel_cameras_leave_the_global_random_state_alone": DrawsGlobally,
    "test_a_missing_data_set_is_an_error_that_names_it": RawErrors,
}
KIT, RIGHT = RaySourceConformance, right.Source
