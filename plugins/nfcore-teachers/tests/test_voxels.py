import pytest
import torch
from fits import Checkpoints, KilledError, psnr_on_test_views, same

import nfcore
from nfcore import Budget, Rays, Reporter, UserError
from nfcore.io.tensors import load_state, save_state
from nfcore.options import parse
from nfcore.scene import MaskStack
from nfcore_teachers.voxels import Voxels

pytestmark = pytest.mark.slow

OPTIONS = Voxels.Options(resolution=24, samples_per_step=3000)
BUDGET = Budget(steps=200, seed=3)


def fitted(source, budget=BUDGET, reporter=None, options=OPTIONS):
    teacher = Voxels(options, source.scene)
    teacher.fit(source, budget, reporter or Reporter())
    return teacher


@pytest.fixture(scope="module")
def teacher(sphere):
    return fitted(sphere)


def test_a_held_out_view_is_seen_as_it_is(teacher, sphere):
    empty = Voxels(OPTIONS, sphere.scene)
    assert psnr_on_test_views(empty, sphere) < 14
    assert psnr_on_test_views(teacher, sphere) > 28


def test_without_alpha_the_empty_space_is_found_by_the_occupancy_grid(sphere_source):
    source = sphere_source(with_alpha=False)
    teacher = fitted(source, Budget(steps=250))
    assert psnr_on_test_views(teacher, source) > 28
    assert teacher.volume.occupancy.occupied.float().mean() < 0.5


def test_depth_and_opacity_are_those_of_the_sphere(teacher, sphere):
    rays = sphere.views("test").cameras.rays().flat()
    _, hit, depth = sphere.trace(rays)
    seen = teacher.render(rays)
    # The distance from the sphere's centre at t = 4 stands in for how central a ray is.
    nearest = (rays.origins + 4 * rays.directions).norm(dim=1)
    centre, off = hit & (nearest < 0.4), ~hit & (nearest > 0.8)
    assert centre.sum() > 50
    assert off.sum() > 50
    assert seen.opacity[centre].min() > 0.95
    assert seen.opacity[off].max() < 0.05
    assert (seen.depth - depth)[centre].abs().mean() < 0.06  # a voxel is 0.083


def test_density_is_absorbed_over_distance_and_not_over_t(teacher, sphere):
    rays = sphere.views("test").cameras.rays().flat()
    scene = sphere.scene.model_copy(update={"near": 1.0, "far": 3.0})
    halved = Voxels(OPTIONS, scene)
    halved.load_state_dict(teacher.state_dict())
    a, b = teacher.render(rays), halved.render(Rays(rays.origins, rays.directions * 2))
    torch.testing.assert_close(a.rgb, b.rgb, atol=1e-4, rtol=0)
    torch.testing.assert_close(a.depth, b.depth * 2, atol=1e-3, rtol=0)


def test_the_box_need_be_no_cube(sphere_source):
    source = sphere_source(box=((-0.8, -1.2, -0.7), (0.9, 1.0, 0.7)))
    teacher = fitted(source)
    assert len(set(teacher.volume.grid.shape)) == 3
    assert psnr_on_test_views(teacher, source) > 28


def test_rays_that_miss_see_the_background(sphere):
    scene = sphere.scene.model_copy(update={"background": (0.25, 0.5, 0.75)})
    teacher = Voxels(OPTIONS, scene)
    rays = Rays(torch.tensor([[0.0, 0.0, 5.0]] * 2), torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    seen = teacher.render(rays)
    assert seen.rgb.tolist() == [[0.25, 0.5, 0.75]] * 2
    assert seen.opacity.tolist() == [0, 0]
    assert seen.depth.tolist() == [0, 0]


def test_no_rays_make_an_empty_rendering(teacher):
    seen = teacher.render(Rays(torch.zeros(0, 3), torch.zeros(0, 3)))
    assert (seen.rgb.shape, seen.opacity.shape, seen.depth.shape) == ((0, 3), (0,), (0,))


def test_a_ray_does_not_depend_on_the_others_of_the_call(teacher, sphere):
    rays = sphere.views("test").cameras.rays().flat()
    together = teacher.render(rays)
    alone = [teacher.render(chunk) for chunk in rays.split(100)]
    torch.testing.assert_close(together.rgb, torch.cat([part.rgb for part in alone]), atol=1e-5, rtol=0)
    torch.testing.assert_close(together.depth, torch.cat([part.depth for part in alone]), atol=1e-4, rtol=0)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(teacher, sphere):
    again = Voxels(OPTIONS, sphere.scene)
    again.fit(sphere, Budget(steps=200, seed=4), Reporter())
    assert not same(again.state_dict(), teacher.state_dict())
    again.fit(sphere, BUDGET, Reporter())  # which forgets what it learned before
    assert same(again.state_dict(), teacher.state_dict())


def test_the_global_generator_is_left_alone(sphere):
    before = torch.get_rng_state()
    fitted(sphere, Budget(steps=70))
    assert torch.equal(torch.get_rng_state(), before)


# Before the first growth, on its step, after it but before the next occupancy update, and near the end.
@pytest.mark.parametrize("at", [5, 50, 110, 199])
def test_a_fit_that_was_killed_goes_on_as_if_nothing_had_happened(teacher, sphere, tmp_path, at):
    reporter = Checkpoints(tmp_path / "state", at)
    with pytest.raises(KilledError):
        fitted(sphere, reporter=reporter)
    assert same(fitted(sphere, reporter=reporter).state_dict(), teacher.state_dict())


def test_a_saved_teacher_renders_the_same_without_the_photos(teacher, sphere, tmp_path):
    save_state(tmp_path / "teacher", teacher.state_dict())
    loaded = Voxels(OPTIONS, sphere.scene)
    loaded.load_state_dict(load_state(tmp_path / "teacher"))
    rays = sphere.views("test").cameras.rays().flat()
    ours, theirs = teacher.render(rays), loaded.render(rays)
    assert torch.equal(ours.rgb, theirs.rgb)
    assert torch.equal(ours.opacity, theirs.opacity)
    assert torch.equal(ours.depth, theirs.depth)


def test_weights_of_another_network_do_not_load(teacher, sphere):
    other = Voxels(Voxels.Options(hidden=32), sphere.scene)
    with pytest.raises(RuntimeError, match="network"):
        other.load_state_dict(teacher.state_dict())


def test_progress_and_a_preview_are_reported(sphere):
    class Listener(Reporter):
        def __init__(self):
            self.total, self.psnrs, self.images = 0, [], []

        def start(self, total, unit="step"):
            self.total = total

        def step(self, step, **scalars):
            self.psnrs.append(scalars["psnr"])

        def image_due(self):
            return not self.images

        def image(self, name, image):
            self.images.append(image)

    listener = Listener()
    fitted(sphere, Budget(steps=100), listener)
    assert listener.total == 100
    assert listener.psnrs[-1] > listener.psnrs[0] + 3
    assert [tuple(image.shape) for image in listener.images] == [(24, 24, 3)]


def test_a_budget_of_seconds_ends_the_fit(sphere):
    reached = []

    class Counter(Reporter):
        def checkpoint(self, step, state):
            reached.append(step)

    fitted(sphere, Budget(steps=1_000_000, seconds=0.5), Counter())
    assert 0 < len(reached) < 1000


def test_photos_of_the_background_alone_give_an_empty_scene(sphere_source):
    class Nothing(sphere_source):
        def views(self, split):
            views = super().views(split)
            return nfcore.Views(views.cameras, torch.ones_like(views.images), None, views.names)

    teacher = fitted(Nothing(), Budget(steps=100))
    assert psnr_on_test_views(teacher, Nothing()) > 40


@pytest.mark.parametrize("with_alpha", [True, False])
def test_what_a_mask_ignores_is_not_learned(sphere_source, with_alpha):
    """The same weights, whatever ignored pixels' colour and alpha are, and if masks are decoded when needed."""

    class Painted(sphere_source):
        colour = 0.0
        decoded = True

        def views(self, split):
            views = super().views(split)
            masks = torch.zeros(views.images.shape[:3], dtype=torch.bool)
            masks[:, 6:12, 8:14] = True
            alpha = None if views.alpha is None else views.alpha.masked_fill(masks, self.colour)
            images = views.images.masked_fill(masks[..., None], self.colour)
            stored = masks if self.decoded else MaskStack(lambda i: masks[i], tuple(masks.shape))
            return nfcore.Views(views.cameras, images, alpha, views.names, stored)

    black, white = Painted(with_alpha), Painted(with_alpha)
    white.colour, white.decoded = 1.0, False
    states = [fitted(source, Budget(steps=80)).state_dict() for source in (black, white)]
    assert same(*states)


def test_the_field_is_that_of_the_sphere_and_empty_beyond_the_box(teacher, sphere):
    points = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.55, 0.0], [0.9, 0.9, 0.9], [0.0, 0.0, 3.0]])
    field = teacher.field(points)
    assert field.features.shape == (4, OPTIONS.values)
    assert field.density[1] * 0.1 > 1  # a tenth of a unit absorbs most of the light just under the surface
    assert field.density[2] * 0.1 < 0.1
    assert field.density[3] == 0


def test_rays_of_another_shape_are_refused(teacher, sphere):
    with pytest.raises(UserError, match=r"must be \(n, 3\)"):
        teacher.render(sphere.views("test").cameras.rays())


def test_silhouettes_outside_the_box_are_a_mistake(sphere_source):
    with pytest.raises(UserError, match="silhouettes"):
        fitted(sphere_source(box=((0.8, 0.8, 0.8), (1.2, 1.2, 1.2))))


def test_options_out_of_range_are_refused():
    with pytest.raises(UserError, match="resolution"):
        parse(Voxels.Options, {"resolution": 4}, "teacher voxels")
