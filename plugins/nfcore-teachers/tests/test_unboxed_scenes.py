"""All teachers on scenes that have no box around them: forward-facing and unbounded ones, without alpha."""

from dataclasses import replace

import pytest
import torch
import unboxed_scenes as scenes
from fits import psnr

from nfcore import Budget, Reporter
from nfcore_teachers.deferred import Deferred
from nfcore_teachers.hash_grid import HashGrid
from nfcore_teachers.mip_nerf import MipNerf
from nfcore_teachers.nerf import Nerf
from nfcore_teachers.voxels import Voxels

pytestmark = pytest.mark.slow

NETWORK = {"depth": 4, "width": 32, "rays_per_step": 256, "learning_rate": 5e-3}
TEACHERS = {
    "deferred": (Deferred, {"resolution": 32, "samples_per_step": 6000}, 120),
    "voxels": (Voxels, {"resolution": 32, "samples_per_step": 6000}, 120),
    "hash-grid": (
        HashGrid,
        {"levels": 4, "log2_table": 12, "coarsest": 8, "finest": 48, "hidden": 16, "march_samples": 48}
        | {"samples_per_step": 6000, "learning_rate": 0.03},
        120,
    ),
    "nerf": (Nerf, NETWORK | {"octaves": 4, "coarse": 24, "fine": 16}, 150),
    "mip-nerf": (MipNerf, NETWORK | {"octaves": 6, "samples": 24, "final_learning_rate": 0.1}, 150),
}
SOURCES = {"forward-facing": scenes.Wall, "unbounded": scenes.Room}
_fitted = {}


@pytest.fixture(params=SOURCES)
def source(request):
    return SOURCES[request.param]()


@pytest.fixture(params=TEACHERS)
def teacher(request, source):
    key = request.param, source.name
    if key not in _fitted:
        cls, options, steps = TEACHERS[request.param]
        made = cls(cls.Options(**options), source.scene)
        made.fit(source, Budget(steps, seed=1), Reporter())
        _fitted[key] = made
    return _fitted[key]


# The room's 30 tiny photos leave depth open: fields explain each of them by what is just before its camera, so
# that they have to be fitted for longer; ``test_a_room_is_learned`` does that.
@pytest.mark.parametrize("source", ["forward-facing"], indirect=True)
def test_a_held_out_view_is_learned(teacher, source):
    views = source.views("test")
    truth = views.images.view(-1, 3)
    seen = teacher.render(views.cameras.rays().flat())
    mean_colour = psnr(source.views("train").images.view(-1, 3).mean(0), truth)
    assert psnr(seen.rgb, truth) > mean_colour + 3
    assert seen.opacity.mean() > 0.6


def test_a_room_is_learned():
    source = scenes.Room()
    teacher = Voxels(Voxels.Options(resolution=32, samples_per_step=6000), source.scene)
    teacher.fit(source, Budget(300, seed=1), Reporter())
    views = source.views("test")
    truth = views.images.view(-1, 3)
    mean_colour = psnr(source.views("train").images.view(-1, 3).mean(0), truth)
    assert psnr(teacher.render(views.cameras.rays().flat()).rgb, truth) > mean_colour + 5  # 6.0 were seen


@pytest.mark.parametrize("kind", SOURCES.values())
def test_rays_end_at_something_where_photos_could_as_well_show_the_background(kind):
    class Grey(kind):
        """Photos in the colour of the background, which no opacity would contradict."""

        @property
        def scene(self):
            return super().scene.model_copy(update={"background": (0.5, 0.5, 0.5)})

        def views(self, split):
            views = super().views(split)
            return replace(views, images=torch.full_like(views.images, 0.5))

    source = Grey()
    teacher = Deferred(Deferred.Options(resolution=32, samples_per_step=6000), source.scene)
    teacher.fit(source, Budget(120, seed=1), Reporter())
    assert teacher.render(source.views("test").cameras.rays().flat()).opacity.mean() > 0.9


def test_the_field_absorbs_what_is_rendered(teacher, source):
    """Its density per scene unit, integrated along world rays, gives the rendered opacity."""
    rays = scenes.some_rays(source)
    begin = source.scene.near if source.scene.unbounded else 1.0
    opacity = scenes.seen_through(teacher.field, rays, begin, 5000.0)
    difference = (teacher.render(rays).opacity - opacity).abs()
    assert difference.median() < 0.05
    assert difference.mean() < 0.1
