"""The standard tests of ray sources."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch

from nfcore.dataset.framing import depths_in_view
from nfcore.errors import UserError
from nfcore.interfaces import Points
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

    # -- optional data of photos and scenes ----------------------------------------------------------------

    @rule("ray_source.masks")
    def test_masks_ignore_the_same_at_every_size(self) -> None:
        """They are scaled with the photos; passes without masks."""
        shares = []
        for size in (self.image_size, self.image_size // 2):
            masks = self.build(size).views("train").masks
            shares.append(0.0 if masks is None else float(masks[:].float().mean()))
        # A pixel that is ignored in part is ignored at the smaller size.
        require(
            shares[0] - 0.02 <= shares[1] <= 2 * shares[0] + 0.1,
            found=f"masks ignore {shares[0]:.0%} of the photos, and {shares[1]:.0%} at half the size",
            right="about the same at every size",
        )

    @rule("ray_source.metadata")
    def test_metadata_are_numbers(self) -> None:
        """Exposure is seconds times ISO speed over 100; what is not known is None."""
        for split, views in self.photos().items():
            for name, photo in zip(views.names, views.metadata, strict=True):
                exposure, time = photo.exposure, photo.time
                require(
                    (exposure is None or 0 < exposure < math.inf) and (time is None or math.isfinite(time)),
                    found=f"{split} {name} has exposure {exposure} and time {time}",
                    right="an exposure above 0 and a finite time, or None",
                )

    @rule("ray_source.points")
    def test_points_are_on_what_the_cameras_see(self) -> None:
        """Half of them, at least, are inside of a training photo; passes without points."""
        points = self.source().points
        if points is None:
            return
        require(isinstance(points, Points), found=f"a {type(points).__name__}", right="nfcore.Points or None")
        positions, colours = points.positions, points.colours
        require(
            positions.shape == colours.shape == (len(positions), 3)
            and positions.dtype == colours.dtype == torch.float32
            and bool(positions.isfinite().all())
            and bool(((colours >= 0) & (colours <= 1)).all()),
            found=f"positions {tuple(positions.shape)} of {positions.dtype}, colours {shown(colours.flatten())}",
            right="finite (n, 3) of torch.float32, and colours in [0, 1]",
        )
        seen = torch.zeros(len(positions), dtype=torch.bool)
        for camera in self.photos()["train"].cameras:
            seen |= depths_in_view(camera, positions) > 0
        share = float(seen.float().mean()) if len(seen) else 1.0
        require(share >= 0.5, found=f"training photos show {share:.0%} of the points", right="most of them")

    @rule("ray_source.notes")
    def test_notes_are_sentences(self) -> None:
        """They are printed as warnings, one a line."""
        notes = self.source().notes
        require(
            isinstance(notes, tuple) and all(isinstance(note, str) and note.isprintable() for note in notes),
            found=f"{notes!r}",
            right="a tuple of strings without line ends",
        )

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
