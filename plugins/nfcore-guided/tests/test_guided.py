"""The guided encoding finds what its teacher sees, in every kind of scene, and then does without it."""

from __future__ import annotations

import copy

import pytest
import torch

import nfcore
from nfcore import Field, LightField, NfcoreError, Rendering, Space, ray_grid


def rays_of(case, n=3):
    return ray_grid(case.cameras.poses[:n], case.cameras.intrinsics[:n], case.cameras.height, case.cameras.width)


def flat(tensor):
    return tensor.permute(0, 2, 3, 1).reshape(-1, tensor.shape[1])


def parts(encoding, features):
    """Features of the points, opacity, spread, mean, and the rest."""
    options = encoding.options
    looked_up = options.points * options.channels
    octaves = 6 * options.octaves
    return features.split([looked_up, 1, 1, 3, octaves, 9], 1)


@torch.no_grad()
def test_points_lie_where_the_teacher_sees_something(case, prepared):
    encoding = prepared(case)
    origins, directions = rays_of(case)
    _, opacity, _, mean, _, _ = (flat(part) for part in parts(encoding, encoding(origins, directions)))
    rays = nfcore.Rays(flat(origins), flat(directions))
    depth = case.teacher.depth(rays)
    hit = depth.isfinite()
    assert hit.sum() > 100
    truth = Space.of(case.scene).warp(rays.origins[hit] + depth[hit, None] * rays.directions[hit])
    seen = truth.abs().amax(1) < 0.98
    cell = 2 / 31
    off = (mean[hit][seen] - truth[seen]).norm(dim=1) / cell
    assert off.median() < 1.5
    # Beside a silhouette the points of a ray lie on both sides of it.
    assert off.quantile(0.8) < 4
    assert opacity[hit][:, 0].quantile(0.1) > 0.7
    if not hit.all():
        distance = (torch.linalg.cross(rays.origins, rays.directions).norm(dim=1)) / rays.directions.norm(dim=1)
        assert opacity[distance > 0.8].max() < 0.05


@torch.no_grad()
def test_points_of_a_ray_that_meets_nothing_spread_over_its_way_through_the_box(boxed, prepared):
    encoding = prepared(boxed)
    origin = torch.tensor([0.9, 0.9, 4.0]).reshape(1, 3, 1, 1)
    direction = torch.tensor([0.0, 0.0, -1.0]).reshape(1, 3, 1, 1)
    _, opacity, spread, mean, _, _ = parts(encoding, encoding(origin, direction))
    assert float(opacity) < 1e-3
    assert mean.flatten().tolist() == pytest.approx([0.9, 0.9, 0.0], abs=1e-3)
    # Four quantiles at 1/8, 3/8, 5/8 and 7/8 of a way of length 2 in the cube.
    assert float(spread) == pytest.approx(1.5, abs=1e-2)


@torch.no_grad()
def test_features_begin_as_the_teachers_own(boxed, prepared):
    encoding = prepared(boxed, points=1, channels=3)
    origins, directions = rays_of(boxed)
    looked_up, opacity, _, mean, _, _ = (flat(part) for part in parts(encoding, encoding(origins, directions)))
    opaque = opacity[:, 0] > 0.9
    error = (looked_up[opaque, :2] - mean[opaque, :2]).abs().amax(1)
    # At the rim a cell has corners without features of their own.
    assert error.quantile(0.9) < 1e-4


@torch.no_grad()
def test_features_begin_as_colours_where_the_teacher_only_renders(case, prepared):
    if type(case.teacher).field is not nfcore.Teacher.field:
        pytest.skip("this teacher is a volume")
    encoding = prepared(case, points=1)
    origins, directions = rays_of(case)
    looked_up, opacity, *_ = (flat(part) for part in parts(encoding, encoding(origins, directions)))
    opaque = opacity[:, 0] > 0.9
    rgb = case.teacher.render(nfcore.Rays(flat(origins), flat(directions))).rgb
    error = (looked_up[opaque, :3].sigmoid() - rgb[opaque]).abs().mean(1)
    assert error.median() < 0.05


@torch.no_grad()
def test_a_saved_student_needs_no_teacher(case, prepared, student, tmp_path):
    original = student(case, prepared(case))
    original.save(tmp_path / "student.safetensors")
    loaded = LightField.load(tmp_path / "student.safetensors")
    assert torch.equal(loaded.render(case.cameras[:2]), original.render(case.cameras[:2]))


def test_tables_of_another_size_are_refused(boxed, prepared, student, tmp_path):
    built = student(boxed, prepared(boxed))
    built.encoding.features.table = torch.nn.Parameter(built.encoding.features.table[:-7])
    built.save(tmp_path / "student.safetensors")
    with pytest.raises(nfcore.UserError, match="weights do not fit"):
        LightField.load(tmp_path / "student.safetensors")


def test_the_survey_of_a_teacher_is_the_same_every_time(case, prepared):
    torch.manual_seed(1)
    first = prepared(case)
    torch.manual_seed(2)
    second = prepared(case)
    assert torch.equal(first.geometry.values, second.geometry.values)
    assert torch.equal(first.features.occupied, second.features.occupied)


def test_preparing_again_takes_another_teachers_geometry(boxed, prepared):
    encoding = prepared(boxed)
    smaller = copy.deepcopy(boxed.teacher)
    smaller.field = lambda points: Field((points.norm(dim=1) < 0.3) * 50.0, None)
    before = int(encoding.features.occupied.sum())
    encoding.prepare(smaller, boxed.scene, boxed.cameras)
    assert int(encoding.features.occupied.sum()) < before / 4
    assert len(encoding.features.table) == int(encoding.features.occupied.sum()) + 1


def test_a_teacher_of_an_empty_scene_is_refused(boxed, prepared):
    boxed.teacher.field = lambda points: Field(torch.zeros(len(points)), None)
    with pytest.raises(NfcoreError, match="empty"):
        prepared(boxed)


@pytest.mark.parametrize("volume", [True, False])
def test_a_teacher_that_answers_nan_is_refused(boxed, prepared, volume):
    nan = torch.tensor(torch.nan)
    if volume:
        boxed.teacher.field = lambda points: Field(nan.expand(len(points)), None)
    else:
        boxed.teacher.field = lambda points: None
        boxed.teacher.render = lambda rays: Rendering(
            nan.expand(len(rays), 3), nan.expand(len(rays)), torch.ones(len(rays))
        )
    with pytest.raises(NfcoreError, match="NaN"):
        prepared(boxed)


def test_all_that_is_learned_gets_a_gradient(case, prepared, student):
    built = student(case, prepared(case)).train()
    built(case.cameras[:2]).mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in built.parameters())
