"""What any ray source must satisfy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, get_args

import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.interfaces import RaySource, Split, Views
from nfcore.options import parse
from nfcore.plugin.components import Kind
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, Rays
from nfcore.testing.base import Conformance, is_short, untouched_random_state
from nfcore.testing.contract import Broken, describe, once, require, sentence

SPLITS: tuple[Split, ...] = get_args(Split)
#: How far R^T R may be from the identity: data sets print few digits, but a scale is no rotation.
RIGID = 1e-3
#: A step of an 8-bit colour, and rounding.
ONE_LEVEL = 1.5 / 255


class RaySourceConformance(Conformance):
    """Standard tests of a ray source.

    Attributes:
        image_size: the longer side in pixels that photos are scaled to in the tests; at most what they have.

    """

    kind: ClassVar[Kind] = "ray_source"
    settings = Conformance.settings | {"image_size"}
    image_size: ClassVar[int] = 24

    @once
    def source(self) -> RaySource:
        """The source under test, its views loaded once."""
        source: RaySource = self.build(self.image_size)
        return source

    @once
    def photos(self) -> dict[Split, Views]:
        """The views of each split."""
        return {split: self.source().views(split) for split in SPLITS}

    # -- the scene ---------------------------------------------------------------------------------------

    @sentence("A short name of the scene, for run folders and tables.")
    def test_its_name_can_name_a_folder(self) -> None:
        """A run's folder is made with it."""
        name = self.source().name
        fits = isinstance(name, str) and 0 < len(name) <= 64 and name == Path(name).name and name.isprintable()
        require(fits, found=f"{name!r}", right="a word without slashes, such as 'lego'")

    @sentence("the same value on every access.")
    def test_its_scene_is_the_same_on_every_access(self) -> None:
        """Teacher, student and exports are all built for it."""
        source = self.build(self.image_size)
        first = source.scene
        source.views("train")
        second = source.scene
        require(isinstance(first, Scene), found=f"a {type(first).__name__}", right="an nfcore.Scene")
        require(first == second, found=f"{first} and, with the photos loaded, {second}", right="one value")

    @sentence("camera-to-world poses with OpenGL axes")
    def test_its_cameras_look_at_the_scene(self) -> None:
        """Poses with other axes, or world-to-camera, look past the box or away from it."""
        train = self.photos()["train"]
        for index in range(len(train)):
            rays = train.cameras[index].rays().flat()
            hits, least = _hits_box(rays, self.source().scene), 0.0
            if train.alpha is not None:
                hits, least = hits[train.alpha[index].flatten() > 0.9], 0.5
            share = float(hits.float().mean()) if len(hits) else 1.0
            require(
                share > least,
                found=f"{100 * share:.0f}% of the rays to what training photo {index} shows meet the scene's box",
                right="camera-to-world poses, x right, y up, looking down -z, and a box around all that is seen",
            )

    # -- the photos --------------------------------------------------------------------------------------

    @sentence("camera-to-world poses with OpenGL axes")
    def test_its_poses_are_rigid(self) -> None:
        """Rotation and position, without scale, mirror or NaN."""
        for split, views in self.photos().items():
            _require_rigid(views.cameras, f"{split} pose")

    @sentence("(n, height, width, 3) float32 RGB in [0, 1], composited on the scene's background.")
    def test_its_images_have_the_size_of_its_cameras(self) -> None:
        """One image, one camera and one name for each view."""
        for split, views in self.photos().items():
            right = (len(views.cameras), views.cameras.height, views.cameras.width, 3)
            require(
                tuple(views.images.shape) == right and views.images.dtype == torch.float32,
                found=f"{split} images {tuple(views.images.shape)} of {views.images.dtype}",
                right=f"{right} of torch.float32",
            )

    @sentence("(n, height, width, 3) float32 RGB in [0, 1], composited on the scene's background.")
    def test_its_colours_are_in_0_to_1(self) -> None:
        """Neither bytes up to 255 nor NaN."""
        for split, views in self.photos().items():
            require(
                _in_unit_range(views.images[:]),
                found=f"{split} images with colours {_range(views.images[:])}",
                right="from 0 to 1",
            )

    @sentence("(n, height, width) float32 in [0, 1], or None where the photos have none.")
    def test_its_alpha_fits_its_images(self) -> None:
        """Or there is none."""
        for split, views in self.photos().items():
            if views.alpha is not None:
                right, alpha = tuple(views.images.shape[:3]), views.alpha[:]
                require(
                    tuple(alpha.shape) == right and alpha.dtype == torch.float32 and _in_unit_range(alpha),
                    found=f"{split} alpha {tuple(alpha.shape)}, {alpha.dtype}, {_range(alpha)}",
                    right=f"{right} of torch.float32, from 0 to 1",
                )

    @sentence("composited on the background.")
    def test_where_alpha_is_0_it_shows_the_background(self) -> None:
        """Teachers and students are trained on what is composited here."""
        background = torch.tensor(self.source().scene.background)
        for split, views in self.photos().items():
            if views.alpha is None:
                continue
            error = (
                (views.images[:] - background).abs().amax(-1)[views.alpha[:].reshape(views.images.shape[:3]) == 0]
            )
            worst = float(error.max()) if len(error) else 0.0
            require(
                worst <= ONE_LEVEL,
                found=f"{split} images are up to {worst:.3f} from the background there",
                right=f"the scene's background, {self.source().scene.background}",
            )

    @sentence("n names for reports, such as file names.")
    def test_each_photo_has_a_name(self) -> None:
        """A score is reported by it."""
        for split, views in self.photos().items():
            names = views.names
            require(
                len(names) == len(views.cameras) == len(set(names))
                and all(isinstance(n, str) and n for n in names),
                found=f"{split}: {len(views.cameras)} cameras and the names {names[:4]}",
                right="one name for each, all different",
            )

    # -- the splits --------------------------------------------------------------------------------------

    @sentence("``train`` has at least two views and ``test`` at least one.")
    def test_it_has_views_to_train_on_and_to_test(self) -> None:
        """``val`` may be empty."""
        photos = self.photos()
        train, test = len(photos["train"]), len(photos["test"])
        require(train >= 2 and test >= 1, found=f"{train} train, {test} test", right="at least 2 and 1")

    @sentence("No photo is in two splits.")
    def test_no_photo_is_in_two_splits(self) -> None:
        """A score on photos that were trained on means nothing."""
        seen: dict[bytes, str] = {}
        for split, views in self.photos().items():
            for i in range(len(views.cameras)):
                photo = views.cameras.poses[i].numpy().tobytes() + views.images[i].numpy().tobytes()
                where = f"{split} {views.names[i] if i < len(views.names) else i}"
                other = seen.setdefault(photo, where)
                require(
                    other.split()[0] == split,
                    found=f"{where} is the same photo as {other}",
                    right="each photo in one split",
                )

    @sentence("Return the posed photos of one split, in a fixed order.")
    def test_its_photos_come_in_a_fixed_order(self) -> None:
        """From one source and from another one that is made alike."""
        first = self.photos()["train"]
        for again in (self.source().views("train"), self.build(self.image_size).views("train")):
            require(
                first.names == again.names
                and torch.equal(first.images[:], again.images[:])
                and torch.equal(first.cameras.poses, again.cameras.poses),
                found=f"{first.names[:3]} first, {again.names[:3]} again, or the same names with other contents",
                right="the same photos in the same order",
            )

    # -- the size ----------------------------------------------------------------------------------------

    @sentence("the longer side in pixels that photos are scaled to; None keeps their size.")
    def test_its_photos_have_the_size_that_was_asked_for(self) -> None:
        """The recipe's ``image_size``."""
        for size in (self.image_size, self.image_size // 2):
            views = self.build(size).views("test")
            longer = max(views.cameras.height, views.cameras.width)
            require(
                longer == size,
                found=f"image_size {size} gives a longer side of {longer} pixels",
                right=f"{size} pixels",
            )

    @sentence("images downscaled to ``image_size``")
    def test_scaling_keeps_the_field_of_view(self) -> None:
        """Focal lengths and principal point are in pixels: they shrink with the image."""
        whole, half = (self.build(size).views("test").cameras for size in (self.image_size, self.image_size // 2))
        shares = []
        for cameras in (whole, half):
            sides = torch.tensor([cameras.width, cameras.height] * 2, dtype=torch.float32)
            shares.append(cameras.intrinsics[0] / sides)
        require(
            torch.allclose(shares[0], shares[1], rtol=0.02, atol=0.01),
            found=f"fx/width, fy/height, cx/width, cy/height are {_numbers(shares[0])} and at half the size "
            f"{_numbers(shares[1])}",
            right="the same at every size",
        )

    # -- novel cameras -----------------------------------------------------------------------------------

    @sentence("with the photos' size and focus.")
    def test_novel_cameras_have_the_photos_size_and_focus(self) -> None:
        """The student is trained through them and tested through the photos'."""
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
            found=f"focal lengths {_numbers(focal.flatten())}",
            right=f"the photos', {float(low):.4g} to {float(high):.4g} pixels",
        )

    @sentence("Return ``n`` novel cameras from where the scene may be looked at")
    def test_novel_cameras_are_rigid(self) -> None:
        """And no two of them are the same."""
        novel = self.novel(5)
        _require_rigid(novel, "novel pose")
        different = len({pose.numpy().tobytes() for pose in novel.poses})
        require(
            different == len(novel), found=f"{different} different ones of {len(novel)}", right="all different"
        )

    @sentence("the same state gives the same cameras.")
    def test_the_same_generator_gives_the_same_novel_cameras(self) -> None:
        """A run that goes on sees the pseudo views that it would have seen."""
        first, second = self.novel(4, seed=3), self.novel(4, seed=3)
        require(torch.equal(first.poses, second.poses), found="two different sets", right="the same poses")

    @sentence("They are drawn from ``generator`` alone")
    def test_novel_cameras_leave_the_global_random_state_alone(self) -> None:
        """Everything random in a run follows its seed."""
        generator = torch.Generator().manual_seed(1)
        source = self.source()
        with untouched_random_state("sample_cameras"):
            source.sample_cameras(3, generator)

    def novel(self, n: int, seed: int = 0) -> Cameras:
        """Return ``n`` novel cameras."""
        return self.source().sample_cameras(n, torch.Generator().manual_seed(seed))

    # -- errors ------------------------------------------------------------------------------------------

    @sentence("that name the file and say what would be right.")
    def test_a_missing_data_set_is_an_error_that_names_it(self) -> None:
        """For a source with an option ``path``; others have nothing to show here."""
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
                raise Broken(f"found: {describe(error)}\nright: a UserError that names the file") from error
            else:
                raise Broken(f"found: views from the empty or missing {path}\nright: a UserError")


def _require_rigid(cameras: Cameras, what: str) -> None:
    require(cameras.poses.isfinite().all(), found=f"a {what} that is not finite", right="finite poses")
    rotation = cameras.poses[:, :, :3].double()
    skew = (rotation.transpose(1, 2) @ rotation - torch.eye(3, dtype=torch.double)).abs().amax((1, 2))
    bad = (skew > RIGID) | (torch.linalg.det(rotation) < 0)
    if bad.any():
        index = int(bad.nonzero()[0])
        off, determinant = float(skew[index]), float(torch.linalg.det(rotation[index]))
        require(
            False,
            found=f"{what} {index} is no rotation: R^T R is {off:.2g} off, the determinant {determinant:.3g}",
            right="a (3, 4) matrix of a rotation and a position",
        )


def _hits_box(rays: Rays, scene: Scene) -> Tensor:
    """Return whether each ray meets the box, with a margin of 5% of its size."""
    low, high = torch.tensor(scene.box)
    margin = 0.05 * (high - low)
    slopes = torch.where(rays.directions.abs() < 1e-9, 1e-9, rays.directions)
    first, second = (low - margin - rays.origins) / slopes, (high + margin - rays.origins) / slopes
    enters, leaves = torch.minimum(first, second).amax(1), torch.maximum(first, second).amin(1)
    return (leaves > 0) & (leaves >= enters)


def _in_unit_range(values: Tensor) -> bool:
    return not values.numel() or bool((values >= 0).all() and (values <= 1).all())


def _range(values: Tensor) -> str:
    if not values.numel():
        return "empty"
    return f"from {float(values.min()):.4g} to {float(values.max()):.4g}"


def _numbers(values: Tensor) -> str:
    return ", ".join(f"{float(value):.3g}" for value in values[:6])
