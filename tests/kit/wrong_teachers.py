"""For each standard test of teachers, one that fails it and no other."""

from __future__ import annotations

import dataclasses
import threading
import time

import right
import torch
from wrong_options import wrong_options

from nfcore.testing import TeacherConformance


class Spoilt(right.Teacher):
    """Renders what ``spoil`` makes of the right rendering."""

    def render(self, rays):
        return self.spoil(rays, super().render(rays))


class NeverLearns(right.Teacher):
    def state_dict(self, *arguments, **options):
        with torch.no_grad():
            self.colour.zero_()
        return super().state_dict(*arguments, **options)

    def render(self, rays):
        with torch.no_grad():
            self.colour.zero_()
        return super().render(rays)


class LooksAtTheTest(right.Teacher):
    def fit(self, source, budget, reporter) -> None:
        source.views("test")
        super().fit(source, budget, reporter)


class NeedsAlpha(right.Teacher):
    def fit(self, source, budget, reporter) -> None:
        source.views("train").alpha.mean()
        super().fit(source, budget, reporter)


class OwnSeed(right.Teacher):
    def generator(self, seed: int) -> torch.Generator:
        generator = torch.Generator()
        generator.seed()
        return generator


class DrawsGlobally(right.Teacher):
    def fit(self, source, budget, reporter) -> None:
        torch.rand(1)
        super().fit(source, budget, reporter)


class SaysNothing(right.Teacher):
    def report(self, reporter, step: int) -> None:
        pass


class HalfACheckpoint(right.Teacher):
    def state(self, step, velocity, generator):
        return super().state(step, torch.zeros_like(velocity), generator)


class NoClock(right.Teacher):
    def goes_on(self, clock, step: int) -> bool:
        if clock.budget.seconds is not None:
            time.sleep(0.05)
        return step < clock.budget.steps


class DoubleForFew(Spoilt):
    def spoil(self, rays, seen):
        return dataclasses.replace(seen, rgb=seen.rgb.double()) if len(rays) == 25 else seen


class MoreThanOpaque(Spoilt):
    def spoil(self, rays, seen):
        return dataclasses.replace(seen, opacity=1.01 * seen.opacity)


class LostFarAway(Spoilt):
    def spoil(self, rays, seen):
        far = rays.origins.norm(dim=1) > 1e5
        return dataclasses.replace(seen, rgb=torch.where(far[:, None], torch.nan, seen.rgb))


class WhiteBehind(Spoilt):
    def spoil(self, rays, seen):
        away = (rays.origins * rays.directions).sum(1) > 0
        return dataclasses.replace(seen, rgb=torch.where(away[:, None], 1.0, seen.rgb))


class FarWhereNothingIs(Spoilt):
    def spoil(self, rays, seen):
        return dataclasses.replace(seen, depth=torch.where(seen.opacity > 0, seen.depth, self.scene.far))


class Distance(Spoilt):
    def spoil(self, rays, seen):
        return dataclasses.replace(seen, depth=seen.depth * rays.directions.norm(dim=1))


class SeesTheOthers(Spoilt):
    def spoil(self, rays, seen):
        return dataclasses.replace(seen, rgb=seen.rgb - 0.05 * (seen.opacity * seen.opacity.mean())[:, None])


class Jitters(Spoilt):
    last = None

    def spoil(self, rays, seen):
        if threading.current_thread() is not threading.main_thread():
            return seen
        again = self.last is not None and torch.equal(self.last, rays.directions)
        self.last = rays.directions
        return dataclasses.replace(seen, rgb=seen.rgb * 0.99) if again else seen


class OneAtATime(Spoilt):
    last = None

    def spoil(self, rays, seen):
        self.last = rays
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.05)
        return seen if self.last is rays else dataclasses.replace(seen, rgb=seen.rgb * 0.99)


class NotSaved(Spoilt):
    def __init__(self, options, scene) -> None:
        super().__init__(options, scene)
        self.register_buffer("gain", torch.ones(()), persistent=False)

    def fit(self, source, budget, reporter) -> None:
        super().fit(source, budget, reporter)
        self.gain.fill_(0.99)

    def spoil(self, rays, seen):
        return dataclasses.replace(
            seen, rgb=torch.where(seen.opacity[:, None] > 0, self.gain * seen.rgb, seen.rgb)
        )


class NoHorizon(right.Teacher):
    def __init__(self, options, scene) -> None:
        super().__init__(options, scene)
        if scene.forward_facing:
            raise ValueError("no")


WRONG = {
    **wrong_options(right.Teacher),
    "test_it_learns_a_scene": NeverLearns,
    "test_it_looks_at_the_train_split_only": LooksAtTheTest,
    "test_it_takes_photos_without_alpha": NeedsAlpha,
    "test_the_same_seed_gives_the_same_weights": OwnSeed,
    "test_it_leaves_the_global_random_state_alone": DrawsGlobally,
    "test_it_reports_its_steps": SaysNothing,
    "test_interrupted_it_goes_on_to_the_same_weights": HalfACheckpoint,
    "test_it_ends_when_its_seconds_are_spent": NoClock,
    "test_it_renders_float32_of_the_promised_shapes": DoubleForFew,
    "test_colour_and_opacity_are_in_0_to_1": MoreThanOpaque,
    "test_it_is_finite_for_any_ray": LostFarAway,
    "test_where_nothing_is_it_shows_the_scenes_background": WhiteBehind,
    "test_depth_is_0_where_nothing_is": FarWhereNothingIs,
    "test_depth_is_in_the_rays_t": Distance,
    "test_a_ray_does_not_depend_on_the_others": SeesTheOthers,
    "test_rendering_again_gives_the_same": Jitters,
    "test_threads_do_not_disturb_each_other": OneAtATime,
    "test_saved_and_loaded_it_renders_the_same": NotSaved,
    "test_it_takes_a_forward_facing_scene_or_refuses_it": NoHorizon,
}
KIT, RIGHT = TeacherConformance, right.Teacher
