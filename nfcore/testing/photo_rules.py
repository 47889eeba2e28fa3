"""The standard tests of a ray source's photos: cameras, images, splits and size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, get_args

import torch
from torch import Tensor

from nfcore.geometry.boxes import box_depths
from nfcore.interfaces import RaySource, Split, Views
from nfcore.plugin.components import Kind
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, Rays
from nfcore.testing.base import Conformance
from nfcore.testing.contract import Broken, once, require, require_finite, require_type, rule

SPLITS: tuple[Split, ...] = get_args(Split)
#: Tolerance of R^T R against the identity: data sets print few digits, but a scale is no rotation.
RIGID = 1e-3
#: A step of an 8-bit colour, and rounding.
ONE_LEVEL = 1.5 / 255


class PhotoRules(Conformance):
    """The standard tests of a ray source's photos.

    Attributes:
        image_size: the longer side in pixels that photos are scaled to in the tests; at most what they have.

    """

    kind: ClassVar[Kind] = "ray_source"
    settings = Conformance.settings | {"image_size"}
    image_size: ClassVar[int] = 24

    @once
    def source(self) -> RaySource:
        """The source under test, with its views cached."""
        source: RaySource = self.build(self.image_size)
        return source

    @once
    def photos(self) -> dict[Split, Views]:
        """The views of each split."""
        photos = {split: self.source().views(split) for split in SPLITS}
        for split, views in photos.items():
            require_type(views, Views, f"views({split!r}) returns", "ray_source.views")
        return photos

    def finite_images(self) -> Iterator[tuple[Split, Views]]:
        """Yield each split with its views; values that are not finite break ``ray_source.image-finite``."""
        for split, views in self.photos().items():
            require_finite(views.images[:], f"{split} images", "ray_source.image-finite")
            yield split, views

    @rule("ray_source.views")
    def test_its_views_are_an_nfcore_views(self) -> None:
        """A class that only looks similar breaks as soon as views grow."""
        self.photos()

    # -- cameras -----------------------------------------------------------------------------------------

    @rule("ray_source.cameras-finite")
    def test_its_cameras_are_finite(self) -> None:
        """They have one size and focal lengths above 0."""
        for split, views in self.photos().items():
            require_finite_cameras(views.cameras, split)

    @rule("ray_source.poses-opengl")
    def test_its_cameras_look_at_the_scene(self) -> None:
        """Poses with other axes, or world-to-camera matrices, look past the box or away from it."""
        train = self.photos()["train"]
        for index, camera in enumerate(train.cameras):
            rays = camera.rays().flat()
            hits, least = _hits_box(rays, self.source().scene), 0.0
            if train.alpha is not None:
                hits, least = hits[train.alpha[index].flatten() > 0.9], 0.5
            share = float(hits.float().mean()) if len(hits) else 1.0
            require(
                share > least,
                found=f"{100 * share:.0f}% of the rays to what training photo {index} shows meet the scene's box",
                right="camera-to-world poses, x right, y up, looking down -z, and a box around the visible scene",
            )

    # -- images --------------------------------------------------------------------------------------

    @rule("ray_source.poses-rigid")
    def test_its_poses_are_rigid(self) -> None:
        """A pose is a rotation and a position, without scale, mirroring or NaN."""
        for split, views in self.photos().items():
            require_finite_cameras(views.cameras, split)
            require_rigid(views.cameras, f"{split} pose")

    @rule("ray_source.image-shape")
    def test_its_images_have_the_size_of_its_cameras(self) -> None:
        """One image for each camera, one height and width for all."""
        for split, views in self.photos().items():
            right = (len(views.cameras), views.cameras.height, views.cameras.width, 3)
            found = tuple(views.images.shape)
            require(found == right, found=f"{split} images {found}", right=f"{right}")

    @rule("ray_source.image-dtype")
    def test_its_images_are_float32(self) -> None:
        """Not bytes, and not numpy's double precision."""
        for split, views in self.photos().items():
            dtype = views.images.dtype
            require(dtype == torch.float32, found=f"{split} images of {dtype}", right="torch.float32")

    @rule("ray_source.image-finite")
    def test_its_images_are_finite(self) -> None:
        """A NaN in one pixel makes all weights that are trained on it NaN."""
        for _ in self.finite_images():
            pass

    @rule("ray_source.image-range")
    def test_its_colours_are_in_0_to_1(self) -> None:
        """Not from 0 to 255."""
        for split, views in self.finite_images():
            require(
                _in_unit_range(views.images[:]),
                found=f"{split} images with colours {_range(views.images[:])}",
                right="from 0 to 1",
            )

    @rule("ray_source.alpha")
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

    @rule("ray_source.background")
    def test_where_alpha_is_0_it_shows_the_background(self) -> None:
        """Teachers and students are trained on images composited on it."""
        background = torch.tensor(self.source().scene.background)
        for split, views in self.finite_images():
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

    @rule("ray_source.names")
    def test_each_photo_has_a_name(self) -> None:
        """Scores are reported by name."""
        for split, views in self.photos().items():
            names = views.names
            require(
                len(names) == len(views.cameras) == len(set(names))
                and all(isinstance(n, str) and n for n in names),
                found=f"{split}: {len(views.cameras)} cameras and the names {names[:4]}",
                right="one name for each, all different",
            )

    # -- the splits --------------------------------------------------------------------------------------

    @rule("ray_source.splits")
    def test_it_has_views_to_train_on_and_to_test(self) -> None:
        """``val`` may be empty."""
        photos = self.photos()
        train, test = len(photos["train"]), len(photos["test"])
        require(train >= 2 and test >= 1, found=f"{train} train, {test} test", right="at least 2 and 1")

    @rule("ray_source.disjoint")
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

    @rule("ray_source.order")
    def test_its_photos_come_in_a_fixed_order(self) -> None:
        """Tested with two sources with the same options."""
        first = dict(self.finite_images())["train"]
        for again in (self.source().views("train"), self.build(self.image_size).views("train")):
            require(
                first.names == again.names
                and torch.equal(first.images[:], again.images[:])
                and torch.equal(first.cameras.poses, again.cameras.poses),
                found=f"{first.names[:3]} first, {again.names[:3]} again, or the same names with other contents",
                right="the same photos in the same order",
            )

    # -- the size ----------------------------------------------------------------------------------------

    @rule("ray_source.image-size")
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

    @rule("ray_source.field-of-view")
    def test_scaling_keeps_the_field_of_view(self) -> None:
        """Focal lengths and principal point are in pixels: they scale with the image."""
        whole, half = (self.build(size).views("test").cameras for size in (self.image_size, self.image_size // 2))
        shares = []
        for cameras in (whole, half):
            sides = torch.tensor([cameras.width, cameras.height] * 2, dtype=torch.float32)
            shares.append(cameras.intrinsics[0] / sides)
        require(
            torch.allclose(shares[0], shares[1], rtol=0.02, atol=0.01),
            found=f"fx/width, fy/height, cx/width, cy/height are {shown(shares[0])} and at half the size "
            f"{shown(shares[1])}",
            right="the same at every size",
        )


def require_finite_cameras(cameras: Cameras, what: str, rule: str = "ray_source.cameras-finite") -> None:
    """Break ``rule`` unless poses (n, 3, 4) and intrinsics (n, 4) are finite float32, focal lengths above 0."""
    n = len(cameras.poses)
    for name, values, right in (("poses", cameras.poses, (n, 3, 4)), ("intrinsics", cameras.intrinsics, (n, 4))):
        require_finite(values, f"{what} {name}", rule)
        if tuple(values.shape) != right or values.dtype != torch.float32:
            found = f"{what} {name} {tuple(values.shape)} of {values.dtype}"
            raise Broken(found, f"{right} of torch.float32", rule)
    focal = cameras.intrinsics[:, :2]
    if not bool((focal > 0).all()):
        found = f"a focal length of {float(focal.min()):g} pixels in {what}"
        raise Broken(found, "more than 0", rule)


def require_rigid(cameras: Cameras, what: str) -> None:
    """Break the rule under test unless each pose is a rotation and a position."""
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
    """Return whether each ray intersects the box, with a margin of 5% of its size."""
    low, high = torch.tensor(scene.box)
    margin = 0.05 * (high - low)
    entry, leave = box_depths(rays.origins, rays.directions, low - margin, high + margin)
    return (leave > entry)[:, 0]


def _in_unit_range(values: Tensor) -> bool:
    return not values.numel() or bool((values >= 0).all() and (values <= 1).all())


def _range(values: Tensor) -> str:
    if not values.numel():
        return "empty"
    return f"from {float(values.min()):.4g} to {float(values.max()):.4g}"


def shown(values: Tensor) -> str:
    """Return the first values of a tensor as text."""
    return ", ".join(f"{float(value):.3g}" for value in values[:6])
