import math
import os

import pytest
import torch
from fits import Checkpoints, KilledError, psnr_on_test_views, same

from nfcore import Budget, NfcoreError, Rays, Reporter
from nfcore.io import load_state, save_state
from nfcore.kernels import Unavailable, load
from nfcore_teachers.deferred import Deferred
from nfcore_teachers.fused_field import FusedField
from nfcore_teachers.resolution import affordable_resolution
from nfcore_teachers.sparse_fit import samples_of_a_step

pytestmark = pytest.mark.slow

OPTIONS = Deferred.Options(resolution=24, samples_per_step=3000)
BUDGET = Budget(steps=200, seed=3)


@pytest.fixture(params=["kernels", "torch"])
def way(request, monkeypatch):
    """Both ways of computing all of it."""
    if request.param == "torch":
        monkeypatch.setenv("NFCORE_KERNELS", "off")
    elif isinstance(load("nfcore_teachers.deferred_kernels"), Unavailable):
        pytest.skip("no kernels here")
    return request.param


_fitted = {}


@pytest.fixture
def teacher(way, sphere):
    if way not in _fitted:
        _fitted[way] = fitted(sphere)
    return _fitted[way]


def fitted(source, budget=BUDGET, reporter=None, options=OPTIONS):
    teacher = Deferred(options, source.scene)
    teacher.fit(source, budget, reporter or Reporter())
    return teacher


class Notes(Reporter):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_held_out_view_is_seen_as_it_is(teacher, sphere):
    assert psnr_on_test_views(Deferred(OPTIONS, sphere.scene), sphere) < 14
    assert psnr_on_test_views(teacher, sphere) > 28


def test_without_alpha_the_empty_space_is_found(way, sphere_source):
    source = sphere_source(with_alpha=False, box=((-0.8, -1.2, -0.7), (0.9, 1.0, 0.7)))
    teacher = fitted(source, Budget(steps=250))
    assert psnr_on_test_views(teacher, source) > 27
    assert teacher.volume.occupancy.occupied.float().mean() < 0.6


# Before the first growth, between the two, after the second but before an occupancy update, and near the end.
@pytest.mark.parametrize("at", [5, 30, 110, 199])
def test_a_fit_that_was_killed_resumes_as_if_nothing_had_happened(teacher, sphere, tmp_path, at):
    reporter = Checkpoints(tmp_path / "state", at)
    with pytest.raises(KilledError):
        fitted(sphere, reporter=reporter)
    assert same(fitted(sphere, reporter=reporter).state_dict(), teacher.state_dict())


def test_two_threads_learn_the_same_each_time(sphere):
    if isinstance(load("nfcore_teachers.deferred_kernels"), Unavailable):
        pytest.skip("no kernels here")
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        first, second = (fitted(sphere, Budget(steps=60)) for _ in range(2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert same(first.state_dict(), second.state_dict())
    assert psnr_on_test_views(first, sphere) > 18


def test_a_saved_teacher_renders_the_same_without_the_photos(teacher, sphere, tmp_path):
    save_state(tmp_path / "teacher", teacher.state_dict())
    loaded = Deferred(OPTIONS, sphere.scene)
    loaded.load_state_dict(load_state(tmp_path / "teacher"))
    rays = sphere.views("test").cameras.rays().flat()
    ours, theirs = teacher.render(rays), loaded.render(rays)
    for what in ("rgb", "opacity", "depth"):
        assert torch.equal(getattr(ours, what), getattr(theirs, what))


def test_rays_of_any_number_are_rendered(teacher, sphere):
    rays = sphere.views("test").cameras.rays().flat()
    whole = teacher.render(rays)
    for n in (0, 1, 257):
        some = teacher.render(Rays(rays.origins[:n], rays.directions[:n]))
        torch.testing.assert_close(some.rgb, whole.rgb[:n], atol=1e-5, rtol=0)


def test_the_field_is_that_of_the_sphere_and_empty_beyond_the_box(teacher):
    points = torch.tensor([[0.0, 0.55, 0.0], [0.9, 0.9, 0.9], [0.0, 0.0, 3.0]])
    field = teacher.field(points)
    assert field.features.shape == (3, OPTIONS.values)
    assert field.density[0] * 0.1 > 1  # a tenth of a unit absorbs most of the light just under the surface
    assert field.density[1:].tolist() == [0, 0]


def test_a_field_that_changed_is_rendered_as_it_is_now(teacher, sphere):
    """What kernels know of it is made again when its parameters are others."""
    changing = Deferred(OPTIONS, sphere.scene)
    rays = sphere.views("test").cameras.rays().flat()
    changing.render(rays)
    changing.load_state_dict(teacher.state_dict())
    assert torch.equal(changing.render(rays).rgb, teacher.render(rays).rgb)


def test_a_diverging_fit_keeps_the_weights_from_before(way, sphere, monkeypatch):
    """The photos are no numbers from some step on: nothing of them gets into the weights."""
    notes = Notes()
    draw = "nfcore_teachers.fitting.PixelBatches.draw"
    from nfcore_teachers.pixels import PixelBatches

    drawn, original = [], PixelBatches.draw

    def spoiled(self, n):
        pixels = original(self, n)
        drawn.append(n)
        return pixels if len(drawn) <= 60 else pixels._replace(colours=pixels.colours * math.nan)

    monkeypatch.setattr(draw, spoiled)
    teacher = fitted(sphere, Budget(steps=100), notes)
    assert any("60 steps" in note for note in notes.notes)
    assert all(value.isfinite().all() for value in teacher.state_dict().values())
    drawn[:] = [0] * 60
    with pytest.raises(NfcoreError, match="learning_rate"):
        fitted(sphere, Budget(steps=100))


def test_without_kernels_it_says_how_to_be_quicker(sphere, monkeypatch):
    monkeypatch.setenv("NFCORE_KERNELS", "off")
    notes = Notes()
    fitted(sphere, Budget(steps=2), notes)
    assert any("NFCORE_KERNELS" in note for note in notes.notes)


def test_kernels_are_used_where_they_run(sphere):
    known = Deferred(OPTIONS, sphere.scene).volume.fused()
    if os.environ.get("CI"):
        assert isinstance(known, FusedField)
    assert isinstance(known, FusedField | Unavailable)


@pytest.mark.parametrize("unbounded", [False, True])
def test_larger_photos_and_longer_budgets_get_finer_grids(unbounded):
    sizes = [affordable_resolution(size, Budget(4000), unbounded) for size in (100, 200, 400, 800)]
    assert sizes == sorted(set(sizes))
    times = [affordable_resolution(400, Budget(10**9, seconds=seconds), unbounded) for seconds in (20, 600)]
    assert times == sorted(set(times))


def test_a_step_takes_more_samples_where_rays_are_long_and_on_cuda():
    few = samples_of_a_step(False, torch.device("cpu"))
    assert samples_of_a_step(True, torch.device("cpu")) > few
    assert samples_of_a_step(False, torch.device("cuda")) > few
