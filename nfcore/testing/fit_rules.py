"""The standard tests of a teacher's fit."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import torch
from torch import Tensor

from nfcore.errors import PluginError, UserError
from nfcore.evaluation.metrics import psnr
from nfcore.interfaces import Rendering, Teacher
from nfcore.interfaces.budget import Budget
from nfcore.interfaces.reporting import Reporter
from nfcore.pipeline.teach import teach
from nfcore.plugin.components import Kind
from nfcore.scene.cameras import Cameras
from nfcore.testing.base import Conformance, require_short, untouched_random_state
from nfcore.testing.contract import Broken, once, require, require_finite, require_type, rule
from nfcore.testing.observers import Checkpoints, Deadline, Recorder, Watched, require_in_time
from nfcore.testing.sphere import SCENE, ShadedSphere, cameras_around

#: Mean PSNR on two test photos that counts as learned, dB. An image of only the background has about 13.
LEARNED = 20.0
#: The budget of the test with a time limit.
SECONDS = 0.05


class FitRules(Conformance):
    """The standard tests of a teacher's fit.

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

    def look(self, cameras: Cameras) -> Rendering:
        """Return the fitted teacher's rendering at ``cameras``; values that are not finite break that rule."""
        return checked(self.fitted().render_views(cameras), "render_views")

    @rule("teacher.learns")
    def test_it_learns_a_scene(self) -> None:
        """Measured on photos that it was not fitted to."""
        views = ShadedSphere.with_alpha().views("test")
        rgb = self.look(views.cameras).rgb.reshape(views.images.shape)
        reached = float(psnr(rgb.permute(0, 3, 1, 2).clamp(0, 1), views.images[:].permute(0, 3, 1, 2)).mean())
        require(
            reached >= LEARNED,
            found=f"{reached:.1f} dB on test photos of a shaded sphere after {self.steps} steps",
            right=f"at least {LEARNED:g} dB; 'steps' of the test class says how many steps it may take",
        )

    @rule("teacher.train-only")
    def test_it_looks_at_the_train_split_only(self) -> None:
        """A score on photos that were trained on means nothing."""
        source = Watched.with_alpha()
        self.build(SCENE).fit(source, Budget(_few(self.steps)), Reporter())
        others = sorted(source.splits_read - {"train"})
        require(not others, found=f"fit reads the views of {' and '.join(others)}", right="views('train') alone")

    @rule("teacher.alpha-optional")
    def test_it_takes_photos_without_alpha(self) -> None:
        """Photos of real scenes have none."""
        teacher = self.build(SCENE)
        source = ShadedSphere.with_alpha(False)
        try:
            teach(teacher, source, Budget(_few(self.steps)))
        except PluginError:  # what fit raised, not a refusal
            raise
        except UserError as error:
            require_short(error)
            return
        rgb = teacher.render_views(cameras_around(1, 8, 8)).rgb
        require(rgb.isfinite().all(), found="colours that are not finite", right="a fit, or a UserError")

    @rule("teacher.seed")
    def test_the_same_seed_gives_the_same_weights(self) -> None:
        """They do not depend on the global random state."""
        torch.manual_seed(1)
        first = self.fit(_few(self.steps)).state_dict()
        torch.manual_seed(2)
        second = self.fit(_few(self.steps)).state_dict()
        _require_equal(first, second, right="random numbers from torch.Generator().manual_seed(budget.seed) alone")

    @rule("teacher.random-state")
    def test_it_leaves_the_global_random_state_alone(self) -> None:
        """Tested while it is built, fitted and rendered; torch's layers use it unless made with skip_init."""
        with untouched_random_state("building, fitting or rendering"):
            self.fit(_few(self.steps)).render_views(cameras_around(1, 4, 4))

    @rule("teacher.reports-steps")
    def test_it_reports_its_steps(self) -> None:
        """A fit that reports nothing seems to hang."""
        reporter = Recorder()
        self.fit(max(20, _few(self.steps)), reporter=reporter)
        steps, total = reporter.steps, max(20, _few(self.steps))
        require(
            steps and steps == sorted(steps) and 0 < steps[-1] <= total,
            found=f"reporter.step was called with {steps[:5]} of {total} steps",
            right="rising numbers of steps done, up to the budget's",
        )

    @rule("teacher.resumes")
    def test_interrupted_it_resumes_to_the_same_weights(self) -> None:
        """Passes for a fit without checkpoints, which starts again."""
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

    @rule("teacher.budget-seconds")
    def test_it_ends_when_its_seconds_are_spent(self) -> None:
        """``budget.clock()`` measures its progress."""
        started = time.monotonic()
        budget = Budget(steps=1000 * self.steps, seconds=SECONDS)
        self.build(SCENE).fit(ShadedSphere.with_alpha(), budget, Deadline(started, SECONDS))
        require_in_time(started, SECONDS)


def checked(seen: Rendering, method: str) -> Rendering:
    """Return a teacher's rendering; another class and values that are not finite break their rules."""
    require_type(seen, Rendering, f"{method} returns", "teacher.rendering")
    for what in ("rgb", "opacity", "depth"):
        require_finite(getattr(seen, what), what, "teacher.finite")
    return seen


def _few(steps: int) -> int:
    """Return the number of steps for tests that need a fit of any quality."""
    return max(2, steps // 10)


def _require_equal(first: dict[str, Tensor], second: dict[str, Tensor], *, right: str) -> None:
    different = [name for name in first if name not in second or not torch.equal(first[name], second[name])]
    if different or first.keys() != second.keys():
        raise Broken(f"two fits give different {', '.join(different[:4]) or 'tensors'}", right)
