"""For each rule of teachers, one that breaks it and no other."""

from __future__ import annotations

import dataclasses
import threading
import time
import types

import right
import torch
from wrong_options import wrong_options

import nfcore
from nfcore.interfaces import Field
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


class RenderingOfItsOwn(Spoilt):
    def spoil(self, rays, seen):
        return types.SimpleNamespace(rgb=seen.rgb, opacity=seen.opacity, depth=seen.depth)


class DepthInColumns(Spoilt):
    def spoil(self, rays, seen):
        return dataclasses.replace(seen, depth=seen.depth[:, None]) if len(rays) == 25 else seen


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


class DarkRays(Spoilt):
    def spoil(self, rays, seen):
        return dataclasses.replace(seen, rgb=0.8 * seen.rgb)

    def render_views(self, cameras):
        seen, shape = (
            right.Teacher.render(self, cameras.rays().flat()),
            (len(cameras), cameras.height, cameras.width),
        )
        return nfcore.Rendering(
            seen.rgb.reshape(*shape, 3), seen.opacity.reshape(shape), seen.depth.reshape(shape)
        )


class NegativeDensity(right.Teacher):
    def field(self, points):
        return Field(points.sum(1), None)


class BakesNothing(right.Teacher):
    """An empty field, where the teacher shows the sphere."""

    values = 3

    def baked(self):
        return nfcore.BakedField(
            scene=self.scene,
            box=self.scene.box,
            shape=(3, 3, 3),
            vertices=torch.arange(0),
            table=torch.zeros(1, 1 + self.values),
            occupied=torch.zeros(2, 2, 2, dtype=torch.bool),
            bounds=self.scene.box,
            step=0.1,
            density_gain=1.0,
            density_shift=0.0,
            density_scale=1.0,
            layers=((torch.zeros(3, 3 + 8), torch.zeros(3)),),
        )


class LayersThatDontFit(BakesNothing):
    values = 7


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
    "teacher.learns": NeverLearns,
    "teacher.train-only": LooksAtTheTest,
    "teacher.alpha-optional": NeedsAlpha,
    "teacher.seed": OwnSeed,
    "teacher.random-state": DrawsGlobally,
    "teacher.reports-steps": SaysNothing,
    "teacher.resumes": HalfACheckpoint,
    "teacher.budget-seconds": NoClock,
    "teacher.rendering": RenderingOfItsOwn,
    "teacher.shape": DepthInColumns,
    "teacher.dtype": DoubleForFew,
    "teacher.range": MoreThanOpaque,
    "teacher.finite": LostFarAway,
    "teacher.background": WhiteBehind,
    "teacher.depth-empty": FarWhereNothingIs,
    "teacher.depth-t": Distance,
    "teacher.ray-independent": SeesTheOthers,
    "teacher.repeatable": Jitters,
    "teacher.threads": OneAtATime,
    "teacher.views-agree": DarkRays,
    "teacher.field": NegativeDensity,
    "teacher.baked": LayersThatDontFit,
    "teacher.baked-agrees": BakesNothing,
    "teacher.saved": NotSaved,
    "component.scene-refused": NoHorizon,
}
KIT, RIGHT = TeacherConformance, right.Teacher
