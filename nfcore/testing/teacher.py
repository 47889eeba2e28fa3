"""What any teacher must satisfy."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import torch
from torch import Tensor

from nfcore.errors import UserError
from nfcore.evaluation.metrics import psnr
from nfcore.geometry.orbits import look_at
from nfcore.interfaces import Rendering, Teacher
from nfcore.interfaces.budget import Budget
from nfcore.interfaces.reporting import Reporter
from nfcore.pipeline.teach import load_teacher, save_teacher, teach
from nfcore.plugin.components import Kind
from nfcore.scene.cameras import Rays
from nfcore.testing.base import Conformance, is_short, untouched_random_state
from nfcore.testing.contract import Broken, once, require, sentence
from nfcore.testing.observers import Checkpoints, Impatient, Recorder, Watched, require_in_time
from nfcore.testing.sphere import (
    FORWARD_FACING,
    SCENE,
    ShadedSphere,
    cameras_around,
    cameras_at,
    extreme_rays,
    sphere_rendering,
)

#: Mean PSNR on two held-out photos that counts as learned, dB. A picture of the background alone has about 13.
LEARNED = 20.0
#: Depth on the sphere may be off by this much on average: a twelfth of its distance, half its radius.
DEPTH_TOLERANCE = 0.3
#: The result for a ray beside others: rounding, and what it does to a sample that lies on a cell's border.
ROUNDING = 1e-3
#: The budget of the test with a clock.
SECONDS = 0.05


class TeacherConformance(Conformance):
    """Standard tests of a teacher.

    Attributes:
        steps: how many steps it needs to learn a shaded sphere from twelve photos of 24 x 24 pixels.

    """

    kind: ClassVar[Kind] = "teacher"
    settings = Conformance.settings | {"steps"}
    steps: ClassVar[int] = 200

    def fit(self, steps: int, seed: int = 3, reporter: Reporter | None = None) -> Any:
        """Return a new teacher, fitted to the sphere."""
        teacher = self.build(SCENE)
        teach(teacher, ShadedSphere.with_alpha(), Budget(steps, seed=seed), reporter)
        return teacher

    @once
    def fitted(self) -> Teacher:
        """A teacher that has learned the sphere."""
        teacher: Teacher = self.fit(self.steps)
        return teacher

    def render(self, rays: Rays) -> Rendering:
        """Return what the fitted teacher sees."""
        return self.fitted().render(rays)

    # -- fitting -----------------------------------------------------------------------------------------

    @sentence("Fit this teacher to the training views of ``source``.")
    def test_it_learns_a_scene(self) -> None:
        """Measured on photos that it has not seen."""
        views = ShadedSphere.with_alpha().views("test")
        rgb = self.render(views.cameras.rays().flat()).rgb.reshape(views.images.shape)
        reached = float(psnr(rgb.permute(0, 3, 1, 2).clamp(0, 1), views.images[:].permute(0, 3, 1, 2)).mean())
        require(
            reached >= LEARNED,
            found=f"{reached:.1f} dB on held-out photos of a shaded sphere after {self.steps} steps",
            right=f"at least {LEARNED:g} dB; 'steps' of the test class says how many steps it may take",
        )

    @sentence("Uses the ``train`` split only.")
    def test_it_looks_at_the_train_split_only(self) -> None:
        """A score on photos that were trained on means nothing."""
        source = Watched.with_alpha()
        self.build(SCENE).fit(source, Budget(_few(self.steps)), Reporter())
        others = sorted(source.asked - {"train"})
        require(
            not others, found=f"fit asks for the views of {' and '.join(others)}", right="views('train') alone"
        )

    @sentence("or None where the photos have none.")
    def test_it_takes_photos_without_alpha(self) -> None:
        """Photos of real scenes have none."""
        teacher = self.build(SCENE)
        source = ShadedSphere.with_alpha(False)
        try:
            teach(teacher, source, Budget(_few(self.steps)))
        except UserError as error:
            require(is_short(error), found=f"{str(error)!r}", right="one or two lines on what would be right")
            return
        rgb = teacher.render(cameras_around(1, 8, 8).rays().flat()).rgb
        require(rgb.isfinite().all(), found="colours that are not finite", right="a fit, or a UserError")

    @sentence("same seed gives the same weights on CPU.")
    def test_the_same_seed_gives_the_same_weights(self) -> None:
        """Whatever the global random state was."""
        torch.manual_seed(1)
        first = self.fit(_few(self.steps)).state_dict()
        torch.manual_seed(2)
        second = self.fit(_few(self.steps)).state_dict()
        _require_equal(first, second, right="random numbers from torch.Generator().manual_seed(budget.seed) alone")

    @sentence("Random numbers come from a generator seeded with ``budget.seed``")
    def test_it_leaves_the_global_random_state_alone(self) -> None:
        """While it is built, fitted and asked; torch's layers draw from it unless made with skip_init."""
        rays = cameras_around(1, 4, 4).rays().flat()
        with untouched_random_state("building, fitting or rendering"):
            self.fit(_few(self.steps)).render(rays)

    @sentence("Calls ``reporter.step`` as it goes")
    def test_it_reports_its_steps(self) -> None:
        """A fit that says nothing looks as if it hung."""
        reporter = Recorder()
        self.fit(max(20, _few(self.steps)), reporter=reporter)
        steps, total = reporter.steps, max(20, _few(self.steps))
        require(
            steps and steps == sorted(steps) and 0 < steps[-1] <= total,
            found=f"reporter.step was called with {steps[:5]} of {total} steps",
            right="rising numbers of steps done, up to the budget's",
        )

    @sentence("begins with ``reporter.restore`` if it can go on from such a state.")
    def test_interrupted_it_goes_on_to_the_same_weights(self) -> None:
        """For one that offers checkpoints; a fit without any begins again, and has nothing to show here."""
        steps = max(4, _few(self.steps))
        checkpoints = Checkpoints(self.folder / "state.safetensors", steps // 2)
        whole = self.fit(steps, reporter=checkpoints)
        if checkpoints.state is None:
            return
        resumed = self.fit(steps, reporter=Checkpoints(None, 0, checkpoints.state))
        _require_equal(
            whole.state_dict(),
            resumed.state_dict(),
            right="optimiser, generator and all else that changes from step to step in the checkpoint",
        )

    @sentence("end earlier, after this many seconds of wall time")
    def test_it_ends_when_its_seconds_are_spent(self) -> None:
        """``budget.clock()`` tells how far it is."""
        started = time.monotonic()
        budget = Budget(steps=1000 * self.steps, seconds=SECONDS)
        self.build(SCENE).fit(ShadedSphere.with_alpha(), budget, Impatient(started, SECONDS))
        require_in_time(started, SECONDS)

    # -- rendering ---------------------------------------------------------------------------------------

    @sentence("Return colour, opacity and depth along ``rays`` (n, 3)")
    def test_it_renders_float32_of_the_promised_shapes(self) -> None:
        """For many rays and for one."""
        for side in (1, 5):
            n = side * side
            seen = self.render(cameras_around(1, side, side).rays().flat())
            for what, right in (("rgb", (n, 3)), ("opacity", (n,)), ("depth", (n,))):
                value: Tensor = getattr(seen, what)
                require(
                    tuple(value.shape) == right and value.dtype == torch.float32,
                    found=f"{what} {tuple(value.shape)} of {value.dtype} for {n} rays",
                    right=f"{right} of torch.float32",
                )

    @sentence("(..., 3) float32 in [0, 1], composited on the scene's background.")
    def test_colour_and_opacity_are_in_0_to_1(self) -> None:
        """From wherever the scene is looked at."""
        seen = self.render(cameras_around(4, 12, 12, seed=5).rays().flat())
        for what, value in (("rgb", seen.rgb), ("opacity", seen.opacity)):
            require(
                bool((value >= 0).all() and (value <= 1).all()),
                found=f"{what} from {float(value.min()):.4g} to {float(value.max()):.4g}",
                right="from 0 to 1",
            )

    @sentence("Features and images are finite for any finite input.")
    def test_it_is_finite_for_any_ray(self) -> None:
        """Parallel to an axis, past the box, from within it, from a million units away."""
        rays = extreme_rays()
        seen = self.render(rays)
        for what, value in (("rgb", seen.rgb.sum(1)), ("opacity", seen.opacity), ("depth", seen.depth)):
            if not value.isfinite().all():
                worst = int((~value.isfinite()).nonzero()[0])
                ray = f"origin {rays.origins[worst].tolist()}, direction {rays.directions[worst].tolist()}"
                require(False, found=f"{what} {float(value[worst])} for {ray}", right="a finite number")

    @sentence("composited on the scene's background.")
    def test_where_nothing_is_it_shows_the_scenes_background(self) -> None:
        """A colour differs from the background by no more than the opacity; rays that look away see nothing."""
        away = cameras_at(
            look_at(torch.tensor([[4.0, 0, 0]]), torch.tensor([8.0, 0, 0]), torch.tensor([0.0, 0, 1])), 6, 6
        )
        for cameras in (away, cameras_around(2, 16, 16, seed=6)):
            seen = self.render(cameras.rays().flat())
            excess = (seen.rgb - torch.tensor(SCENE.background)).abs().amax(1) - seen.opacity
            require(
                excess.max() <= ROUNDING,
                found=f"a ray with opacity {float(seen.opacity[excess.argmax()]):.3f} is of colour "
                f"{seen.rgb[excess.argmax()].tolist()}",
                right=f"opacity * its own colour + (1 - opacity) * {SCENE.background}",
            )

    @sentence("0 where nothing is.")
    def test_depth_is_0_where_nothing_is(self) -> None:
        """And nowhere less."""
        seen = self.render(cameras_around(2, 16, 16, seed=7).rays().flat())
        empty = seen.depth[seen.opacity == 0]
        require(
            not len(empty) or empty.abs().max() == 0,
            found=f"depth {float(empty.abs().max()) if len(empty) else 0:.3g} at opacity 0",
            right="0",
        )
        require(seen.depth.min() >= 0, found=f"depth {float(seen.depth.min()):.3g}", right="0 or more")

    @sentence("expected depth of what is opaque, in the rays' ``t``")
    def test_depth_is_in_the_rays_t(self) -> None:
        """Along the optical axis: a camera that sees the sphere aside finds it nearer than it is far away."""
        eye, aside = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([0.0, 4.0, 0.0])
        rays = cameras_at(look_at(eye, aside, torch.tensor([0.0, 0, 1])), 40, 40, angle=2.0).rays().flat()
        truth, seen = sphere_rendering(rays), self.render(rays)
        both = (truth.opacity > 0) & (seen.opacity > 0.8)
        if not both.any():
            return
        error = float((seen.depth - truth.depth)[both].abs().mean())
        require(
            error <= DEPTH_TOLERANCE,
            found=f"depths of {float(seen.depth[both].mean()):.2f} where the sphere is at t = "
            f"{float(truth.depth[both].mean()):.2f}, off by {error:.2f} on average",
            right="sum of weight * t, divided by opacity, where a point is origin + t * direction",
        )

    @sentence("The result for a ray does not depend on the other rays of the call beyond rounding.")
    def test_a_ray_does_not_depend_on_the_others(self) -> None:
        """The framework splits views into chunks as it likes."""
        rays = cameras_around(2, 9, 9, seed=8).rays().flat()
        whole = self.render(rays)
        for size in (1, 50):
            parts = [self.render(part) for part in rays.split(size)]
            for what in ("rgb", "opacity"):
                value = torch.cat([getattr(part, what) for part in parts])
                difference = float((value - getattr(whole, what)).abs().max())
                require(
                    difference <= ROUNDING,
                    found=f"{what} differs by up to {difference:.2g} in calls of {size} rays",
                    right=f"at most {ROUNDING:g}",
                )

    @sentence("Several threads may call it at once")
    def test_threads_do_not_disturb_each_other(self) -> None:
        """What a call keeps for itself must not lie in the teacher."""
        views = [cameras_around(n, 6, 6).rays().flat() for n in (1, 2, 3)]
        alone = [self.render(rays).rgb for rays in views]
        with ThreadPoolExecutor(len(views)) as threads:
            for _ in range(3):
                together = [seen.rgb for seen in threads.map(self.render, views)]
                require(
                    all(torch.equal(one, other) for one, other in zip(alone, together, strict=True)),
                    found="other colours when three threads render at once",
                    right="what is computed for a call in local variables, not in attributes",
                )

    @sentence("without jitter")
    def test_rendering_again_gives_the_same(self) -> None:
        """Pseudo views that are rendered again after an interruption must be the same."""
        rays = cameras_around(1, 12, 12, seed=9).rays().flat()
        first, second = self.render(rays), self.render(rays)
        require(
            torch.equal(first.rgb, second.rgb) and torch.equal(first.depth, second.depth),
            found=f"colours that differ by up to {float((first.rgb - second.rgb).abs().max()):.2g}",
            right="samples at fixed places in render",
        )

    # -- saving ------------------------------------------------------------------------------------------

    @sentence("a teacher is saved to and loaded from safetensors without the training data.")
    def test_saved_and_loaded_it_renders_the_same(self) -> None:
        """Bit for bit."""
        path = self.folder / "teacher.safetensors"
        save_teacher(self.fitted(), path, self.components)
        loaded = load_teacher(path, self.components)
        rays = cameras_around(1, 12, 12, seed=4).rays().flat()
        before, after = self.render(rays), loaded.render(rays)
        same = all(
            torch.equal(getattr(before, what), getattr(after, what)) for what in ("rgb", "opacity", "depth")
        )
        require(
            same,
            found=f"colours that differ by up to {float((before.rgb - after.rgb).abs().max()):.2g}",
            right="all that render needs in parameters or persistent buffers, or following from options and scene",
        )

    @sentence("A scene that a component can't take is refused with a UserError.")
    def test_it_takes_a_forward_facing_scene_or_refuses_it(self) -> None:
        """Such a scene has no box around it that is finite."""
        try:
            self.build(FORWARD_FACING)
        except UserError as error:
            require(is_short(error), found=f"{str(error)!r}", right="one or two lines on what would be right")


def _few(steps: int) -> int:
    """Return steps for the tests that need a fit, but no good one."""
    return max(2, steps // 10)


def _require_equal(first: dict[str, Tensor], second: dict[str, Tensor], *, right: str) -> None:
    different = [name for name in first if name not in second or not torch.equal(first[name], second[name])]
    if different or first.keys() != second.keys():
        raise Broken(f"found: two fits give different {', '.join(different[:4]) or 'tensors'}\nright: {right}")
