"""The standard tests of teachers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.geometry.orbits import look_at
from nfcore.interfaces import Field, Rendering, Teacher
from nfcore.pipeline import load_teacher, save_teacher
from nfcore.scene.cameras import Rays
from nfcore.testing.baked_rules import BakedRules
from nfcore.testing.base import require_short
from nfcore.testing.contract import Broken, require, require_finite, require_type, rule
from nfcore.testing.fit_rules import checked
from nfcore.testing.sphere import (
    FORWARD_FACING,
    SCENE,
    cameras_around,
    cameras_at,
    extreme_rays,
    sphere_rendering,
)

#: Mean error of depth on the sphere, at most: a twelfth of its distance, half its radius.
DEPTH_TOLERANCE = 0.3
#: Difference of a ray's result in another batch: rounding, and its effect on a sample at the border of a cell.
ROUNDING = 1e-3
#: Mean difference of a colour value between ``render_views`` and ``render``.
AGREEMENT = 0.05


class TeacherConformance(BakedRules):
    """Standard tests of a teacher.

    Attributes:
        steps: how many steps it needs to learn a shaded sphere from twelve photos of 24 x 24 pixels.

    """

    @property
    def draws_rays(self) -> bool:
        """Whether the teacher renders single rays; one with ``render_views`` need not."""
        return type(self.fitted()).render is not Teacher.render

    def render(self, rays: Rays) -> Rendering:
        """Return the fitted teacher's rendering along ``rays``."""
        return checked(self.fitted().render(rays), "render")

    def drawn(self, side: int) -> Iterator[tuple[str, tuple[int, ...], Rendering]]:
        """Yield renderings of small views and, along rays, of one: description, shape, rendering."""
        for n in (0, 1, 2):
            cameras = cameras_around(2, side, side)[:n]
            yield f"{n} views of {side} x {side}", (n, side, side), self.look(cameras)
        if self.draws_rays:
            rays = cameras_around(1, side, side).rays().flat()
            yield f"{len(rays)} rays", (len(rays),), self.render(rays)
            yield "no rays", (0,), self.render(rays[:0])

    @rule("teacher.rendering")
    def test_it_renders_an_nfcore_rendering(self) -> None:
        """A class that only looks similar breaks as soon as renderings grow."""
        for _ in self.drawn(2):
            pass

    @rule("teacher.shape")
    def test_it_renders_the_promised_shapes(self) -> None:
        """Tested for many rays or views, for one and for none."""
        for side in (1, 5):
            for what, shape, seen in self.drawn(side):
                for name, right in (("rgb", (*shape, 3)), ("opacity", shape), ("depth", shape)):
                    found = tuple(getattr(seen, name).shape)
                    require(found == right, found=f"{name} {found} for {what}", right=f"{right}")

    @rule("teacher.dtype")
    def test_it_renders_float32(self) -> None:
        """It may compute in another type."""
        for what, _, seen in self.drawn(5):
            for name in ("rgb", "opacity", "depth"):
                value: Tensor = getattr(seen, name)
                right = value.dtype == torch.float32
                require(right, found=f"{name} of {value.dtype} for {what}", right="torch.float32")

    @rule("teacher.range")
    def test_colour_and_opacity_are_in_0_to_1(self) -> None:
        """Tested from all sides of the scene."""
        seen = self.look(cameras_around(4, 12, 12, seed=5))
        for what, value in (("rgb", seen.rgb), ("opacity", seen.opacity)):
            require(
                bool((value >= 0).all() and (value <= 1).all()),
                found=f"{what} from {float(value.min()):.4g} to {float(value.max()):.4g}",
                right="from 0 to 1",
            )

    @rule("teacher.finite")
    def test_it_is_finite_for_any_ray(self) -> None:
        """Parallel to an axis, past the box, from within it, from a million units away.

        A teacher with only ``render_views`` gets cameras on the axes, in the box and a million units away.
        """
        if not self.draws_rays:
            eyes = torch.tensor([[0.1, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, -7.0, 0.0], [1e6, 0.0, 0.0]])
            self.look(cameras_at(look_at(eyes, torch.zeros(3), torch.tensor([0.0, 0, 1])), 8, 8))
            return
        rays = extreme_rays()
        seen = self.fitted().render(rays)
        for what, value in (("rgb", seen.rgb.sum(1)), ("opacity", seen.opacity), ("depth", seen.depth)):
            if not value.isfinite().all():
                worst = int((~value.isfinite()).nonzero()[0])
                ray = f"origin {rays.origins[worst].tolist()}, direction {rays.directions[worst].tolist()}"
                require(
                    False, found=f"not finite: {what} {float(value[worst])} for {ray}", right="a finite number"
                )

    @rule("teacher.background")
    def test_where_nothing_is_it_shows_the_scenes_background(self) -> None:
        """A colour differs from the background by at most the opacity; rays that look away have opacity 0."""
        away = cameras_at(
            look_at(torch.tensor([[4.0, 0, 0]]), torch.tensor([8.0, 0, 0]), torch.tensor([0.0, 0, 1])), 6, 6
        )
        for cameras in (away, cameras_around(2, 16, 16, seed=6)):
            seen = self.look(cameras)
            excess = ((seen.rgb - torch.tensor(SCENE.background)).abs().amax(-1) - seen.opacity).flatten()
            worst = excess.argmax()
            require(
                excess[worst] <= ROUNDING,
                found=f"a pixel with opacity {float(seen.opacity.flatten()[worst]):.3f} has the colour "
                f"{seen.rgb.reshape(-1, 3)[worst].tolist()}",
                right=f"opacity * its own colour + (1 - opacity) * {SCENE.background}",
            )

    @rule("teacher.depth-empty")
    def test_depth_is_0_where_nothing_is(self) -> None:
        """It is never negative."""
        seen = self.look(cameras_around(2, 16, 16, seed=7))
        empty = seen.depth[seen.opacity == 0]
        require(
            not len(empty) or empty.abs().max() == 0,
            found=f"depth {float(empty.abs().max()) if len(empty) else 0:.3g} at opacity 0",
            right="0",
        )
        require(seen.depth.min() >= 0, found=f"depth {float(seen.depth.min()):.3g}", right="0 or more")

    @rule("teacher.depth-t")
    def test_depth_is_in_the_rays_t(self) -> None:
        """Depth is along the optical axis: for a sphere at the side of the image it is less than its distance."""
        eye, aside = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0.0, 4.0, 0.0])
        cameras = cameras_at(look_at(eye, aside, torch.tensor([0.0, 0, 1])), 40, 40, angle=2.0)
        truth, seen = sphere_rendering(cameras.rays().flat()), self.look(cameras)
        depth = seen.depth.flatten()
        both = (truth.opacity > 0) & (seen.opacity.flatten() > 0.8)
        if not both.any():
            return
        error = float((depth - truth.depth)[both].abs().mean())
        require(
            error <= DEPTH_TOLERANCE,
            found=f"depths of {float(depth[both].mean()):.2f} where the sphere is at t = "
            f"{float(truth.depth[both].mean()):.2f}, off by {error:.2f} on average",
            right="sum of weight * t, divided by opacity, where a point is origin + t * direction",
        )

    @rule("teacher.ray-independent")
    def test_a_ray_does_not_depend_on_the_others(self) -> None:
        """The framework splits views into chunks of any size."""
        cameras = cameras_around(2, 9, 9, seed=8)
        calls = [("one view", self.look(cameras), [self.look(cameras[i : i + 1]) for i in range(2)])]
        if self.draws_rays:
            rays = cameras.rays().flat()
            whole = self.render(rays)
            calls += [(f"{n} rays", whole, [self.render(part) for part in rays.split(n)]) for n in (1, 50)]
        for size, whole, parts in calls:
            for what in ("rgb", "opacity"):
                value = torch.cat([getattr(part, what) for part in parts])
                difference = float((value - getattr(whole, what)).abs().max())
                require(
                    difference <= ROUNDING,
                    found=f"{what} differs by up to {difference:.2g} in calls of {size}",
                    right=f"at most {ROUNDING:g}",
                )

    @rule("teacher.threads")
    def test_threads_do_not_disturb_each_other(self) -> None:
        """Temporary values of a call must not be stored in the teacher."""
        views = [cameras_around(n, 6, 6) for n in (1, 2, 3)]
        alone = [self.look(cameras).rgb for cameras in views]
        with ThreadPoolExecutor(len(views)) as threads:
            for _ in range(3):
                together = [seen.rgb for seen in threads.map(self.look, views)]
                require(
                    all(torch.equal(one, other) for one, other in zip(alone, together, strict=True)),
                    found="other colours when three threads render at once",
                    right="what is computed for a call in local variables, not in attributes",
                )

    @rule("teacher.repeatable")
    def test_rendering_again_gives_the_same(self) -> None:
        """Pseudo views that are rendered again after an interruption must be the same."""
        cameras = cameras_around(1, 12, 12, seed=9)
        first, second = self.look(cameras), self.look(cameras)
        require(
            torch.equal(first.rgb, second.rgb) and torch.equal(first.depth, second.depth),
            found=f"colours that differ by up to {float((first.rgb - second.rgb).abs().max()):.2g}",
            right="samples at fixed positions in render",
        )

    @rule("teacher.views-agree")
    def test_its_views_show_what_its_rays_show(self) -> None:
        """For a teacher that has both; on average, since only one may average over pixels."""
        if not self.draws_rays:
            return
        cameras = cameras_around(2, 12, 12, seed=10)
        views, rays = self.look(cameras), self.render(cameras.rays().flat())
        difference = float((views.rgb.reshape(-1, 3) - rays.rgb).abs().mean())
        require(
            difference <= AGREEMENT,
            found=f"render_views and render differ by {difference:.3f} on average",
            right=f"at most {AGREEMENT:g}: the rays through the pixels' centres, top row first",
        )

    @rule("teacher.field")
    def test_its_field_has_density_and_features(self) -> None:
        """For a teacher that is a volume, inside and outside the box; others return None for all points."""
        points = torch.linspace(-1.5, 1.5, 30).reshape(10, 3)
        fields = [self.fitted().field(points[:n]) for n in (10, 1, 0)]
        if all(field is None for field in fields):
            return
        for n, field in zip((10, 1, 0), fields, strict=True):
            if field is None:
                raise Broken(f"None for {n} points, a field for others", "the same answer for all points")
            require_type(field, Field, "field returns", "teacher.field")
            require_finite(field.density, "density", "teacher.field")
            shapes = [tuple(field.density.shape), None if field.features is None else field.features.shape[:1]]
            require(
                shapes[0] == (n,) and shapes[1] in (None, (n,)) and bool((field.density >= 0).all()),
                found=f"density {shapes[0]} from {field.density.min() if n else 0:.3g}, features {shapes[1]} "
                f"for {n} points",
                right="density (n,) of 0 or more, features (n, f) or None",
            )

    # -- saving ------------------------------------------------------------------------------------------

    @rule("teacher.saved")
    def test_saved_and_loaded_it_renders_the_same(self) -> None:
        """Bit for bit."""
        path = self.folder / "teacher.safetensors"
        save_teacher(self.fitted(), path, self.components)
        loaded = load_teacher(path, self.components)
        cameras = cameras_around(1, 12, 12, seed=4)
        before, after = self.look(cameras), loaded.render_views(cameras)
        same = all(
            torch.equal(getattr(before, what), getattr(after, what)) for what in ("rgb", "opacity", "depth")
        )
        require(
            same,
            found=f"colours that differ by up to {float((before.rgb - after.rgb).abs().max()):.2g}",
            right="all that render needs in parameters or persistent buffers, or derived from options and scene",
        )

    @rule("component.scene-refused")
    def test_it_takes_a_forward_facing_scene_or_refuses_it(self) -> None:
        """Such a scene has no finite box."""
        try:
            self.build(FORWARD_FACING)
        except UserError as error:
            require_short(error)
