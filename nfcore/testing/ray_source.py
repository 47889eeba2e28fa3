"""The standard tests of ray sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from nfcore.errors import UserError
from nfcore.options import parse
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras
from nfcore.testing.base import is_short, untouched_random_state
from nfcore.testing.contract import Broken, described, require, rule
from nfcore.testing.photo_rules import PhotoRules, require_finite_cameras, require_rigid, shown


class RaySourceConformance(PhotoRules):
    """Standard tests of a ray source.

    Attributes:
        image_size: the longer side in pixels that photos are scaled to in the tests; at most what they have.

    """

    # -- the scene ---------------------------------------------------------------------------------------

    @rule("ray_source.name")
    def test_its_name_can_name_a_folder(self) -> None:
        """It is part of the names of runs' folders."""
        name = self.source().name
        fits = isinstance(name, str) and 0 < len(name) <= 64 and name == Path(name).name and name.isprintable()
        require(fits, found=f"{name!r}", right="a word without slashes, such as 'lego'")

    @rule("ray_source.scene")
    def test_its_scene_is_the_same_on_every_access(self) -> None:
        """Teacher, student and exports are all built for it."""
        source = self.build(self.image_size)
        first = source.scene
        source.views("train")
        second = source.scene
        require(isinstance(first, Scene), found=f"a {type(first).__name__}", right="an nfcore.Scene")
        require(first == second, found=f"{first} and, with the photos loaded, {second}", right="one value")

    # -- novel cameras -----------------------------------------------------------------------------------

    @rule("ray_source.novel-cameras")
    def test_novel_cameras_have_the_photos_size_and_focus(self) -> None:
        """The student is trained at them and tested at the photos' cameras."""
        photos, novel = self.photos()["train"].cameras, self.novel(3)
        require(
            len(novel) == 3 and (novel.height, novel.width) == (photos.height, photos.width),
            found=f"{len(novel)} cameras of {novel.height} x {novel.width}",
            right=f"3 of {photos.height} x {photos.width}",
        )
        low, high = photos.intrinsics[:, :2].min() * 0.98, photos.intrinsics[:, :2].max() * 1.02
        focal = novel.intrinsics[:, :2]
        require(
            bool(((focal >= low) & (focal <= high)).all()),
            found=f"focal lengths {shown(focal.flatten())}",
            right=f"the photos', {float(low):.4g} to {float(high):.4g} pixels",
        )

    @rule("ray_source.novel-rigid")
    def test_novel_cameras_are_rigid(self) -> None:
        """They are all different, too."""
        novel = self.novel(5)
        require_rigid(novel, "novel pose")
        different = len({pose.numpy().tobytes() for pose in novel.poses})
        require(
            different == len(novel), found=f"{different} different ones of {len(novel)}", right="all different"
        )

    @rule("ray_source.novel-repeatable")
    def test_the_same_generator_gives_the_same_novel_cameras(self) -> None:
        """A resumed run must have the same pseudo views."""
        first, second = self.novel(4, seed=3), self.novel(4, seed=3)
        require(torch.equal(first.poses, second.poses), found="two different sets", right="the same poses")

    @rule("ray_source.random-state")
    def test_novel_cameras_leave_the_global_random_state_alone(self) -> None:
        """All random numbers of a run depend on its seed only."""
        generator = torch.Generator().manual_seed(1)
        source = self.source()
        with untouched_random_state("sample_cameras"):
            source.sample_cameras(3, generator)

    def novel(self, n: int, seed: int = 0) -> Cameras:
        """Return ``n`` novel cameras."""
        cameras = self.source().sample_cameras(n, torch.Generator().manual_seed(seed))
        require_finite_cameras(cameras, "novel", "ray_source.novel-cameras")
        return cameras

    # -- errors ------------------------------------------------------------------------------------------

    @rule("ray_source.missing-data")
    def test_a_missing_data_set_is_an_error_that_names_it(self) -> None:
        """Passes for a source without an option ``path``."""
        if "path" not in self.cls.Options.model_fields:
            return
        for path in (self.folder / "not-there", self.folder):
            values: dict[str, Any] = {**self.given.model_dump(), "path": path}
            try:
                options = parse(self.cls.Options, values, self.name)
                self.cls(options, self.image_size).views("train")
            except UserError as error:
                text = str(error)
                require(
                    is_short(error) and str(path) in text,
                    found=f"for {path.name!r}: {text!r}",
                    right="one or two lines with the path in them",
                )
            except Exception as error:
                raise Broken(described(error, self.cls), "a UserError that names the file") from error
            else:
                raise Broken(f"views from the empty or missing {path}", "a UserError")
