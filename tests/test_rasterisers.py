"""A teacher that only draws whole views goes through the whole pipeline, and is asked for each view once."""

from __future__ import annotations

import pytest
import tiny
import torch

import nfcore
from nfcore import Cameras, FittedTeacher, PluginError, Rays, Rendering
from nfcore.config.schema import DistillConfig
from nfcore.pipeline import distill
from nfcore.pipeline.depth import depth_views
from nfcore.pipeline.evaluate import evaluate
from nfcore.pipeline.render import comparison, rendered

SOURCE = tiny.Ring(tiny.Ring.Options())


class Rasteriser(tiny.Sky):
    """Draws the sky a whole view at a time, counts what it draws, and can't be asked for a ray."""

    render = nfcore.Teacher.render

    def __init__(self, options, scene):
        super().__init__(options, scene)
        self.drawn: list[tuple[int, int, int]] = []

    def render_views(self, cameras: Cameras) -> Rendering:
        self.drawn.append((len(cameras), cameras.height, cameras.width))
        rays = cameras.rays()
        opacity = tiny.passes_ball(rays)
        return Rendering(self.brightness * tiny.sky(rays.directions), opacity, opacity * rays.origins.norm(dim=-1))


@pytest.fixture
def rasteriser() -> Rasteriser:
    teacher = Rasteriser(Rasteriser.Options(), tiny.SCENE)
    teacher.fit(SOURCE, nfcore.Budget(1), nfcore.Reporter())
    return teacher.eval()


@pytest.mark.parametrize("background", [True, False])
def test_a_student_learns_from_a_teacher_that_only_draws_whole_views(rasteriser, background):
    student, config = tiny.student(), DistillConfig(steps=40, views=12, first_views=4, background=background)
    distill(student, rasteriser, SOURCE, config)
    assert [size for size in rasteriser.drawn if size == (1, 16, 16)] == [(1, 16, 16)] * 12
    assert len(rasteriser.drawn) <= 13  # a small view may be drawn to try the teacher

    by_rays = tiny.student()
    distill(by_rays, tiny.fitted_teacher(), SOURCE, config)
    for ours, theirs in zip(student.parameters(), by_rays.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_whatever_shows_views_asks_for_whole_views(rasteriser):
    views = SOURCE.views("test")
    model = FittedTeacher(rasteriser, views.cameras)
    assert evaluate(model, views).mean["psnr"] > 60
    assert [frame.shape for frame in rendered(model, views.cameras)] == [(16, 16, 3)] * 2
    assert [seen.depth.shape for seen in depth_views(rasteriser, views.cameras)] == [(16, 16)] * 2
    comparison([tiny.student(), model], views, 0)
    assert rasteriser.drawn == [(1, 16, 16)] * 7


def test_a_view_of_a_teacher_that_renders_rays_is_that_of_its_rays(monkeypatch):
    monkeypatch.setattr("nfcore.interfaces.teacher._RAYS_PER_CALL", 100)
    teacher, cameras = tiny.fitted_teacher(), SOURCE.views("train").cameras[:3]
    seen, rays = teacher.render_views(cameras), cameras.rays()
    torch.testing.assert_close(seen.rgb, tiny.sky(rays.directions))
    assert torch.equal(seen.opacity, tiny.passes_ball(rays))
    assert teacher.render_views(cameras[:0]).depth.shape == (0, 16, 16)


def test_rays_of_a_teacher_that_only_draws_whole_views_are_an_error_that_names_what_to_use(rasteriser):
    with pytest.raises(NotImplementedError, match=r"Rasteriser.*render_views"):
        rasteriser.render(Rays(torch.zeros(1, 3), torch.ones(1, 3)))


def test_a_teacher_that_draws_nothing_is_refused_when_it_is_built():
    class Blind(nfcore.Teacher):
        def fit(self, source, budget, reporter):
            pass

    with pytest.raises(PluginError, match=r"Blind.*render\(rays\).*render_views\(cameras\)") as caught:
        Blind(nfcore.Options(), tiny.SCENE)
    assert "\n" not in str(caught.value)
