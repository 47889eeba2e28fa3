"""Surfaces have the shape and the place of what the field holds, in every kind of scene."""

import ball
import pytest
import torch

from nfcore import UserError
from nfcore_mesh.agreement import agreement
from nfcore_mesh.cleaning import seen_part, simplified, without_floaters
from nfcore_mesh.surface import Lattice, Mesh, opacities, surface

LEVEL = 0.7


RESOLUTIONS = {"box": 40, "unbounded": 80, "forward": 120}


def made(kind="box"):
    model, lattice = ball.model(kind), Lattice(ball.SCENES[kind], RESOLUTIONS[kind], 3.0)
    return model, lattice, surface(opacities(model.teacher, lattice), lattice, LEVEL)


@pytest.mark.parametrize("kind", ball.SCENES)
def test_a_ball_is_found_where_it_is(kind):
    model, lattice, mesh = made(kind)
    radius = (mesh.vertices - model.teacher.centre).norm(dim=1)
    voxel = torch.as_tensor(lattice.voxel_size(mesh.vertices))
    assert ((radius - ball.RADIUS).abs() < 1.5 * voxel + 0.05).all()
    outwards = (mesh.face_normals * (mesh.vertices[mesh.triangles].mean(1) - model.teacher.centre)).sum(1)
    assert (outwards[mesh.areas > 1e-6] > 0).all()


@pytest.mark.parametrize("kind", ball.SCENES)
def test_a_mesh_agrees_with_the_field_it_is_made_of(kind):
    model, lattice, mesh = made(kind)
    found = agreement(mesh, model, model.cameras, lattice)
    assert found.silhouette_iou > 0.93
    assert found.depth_error < 1
    shifted = Mesh(mesh.vertices + torch.tensor([0.3, 0, 0]), mesh.triangles)
    assert agreement(shifted, model, model.cameras, lattice).silhouette_iou < 0.85


def test_what_no_camera_sees_is_left_out():
    model, lattice, mesh = made()
    one = seen_part(mesh, model.cameras[:1], lattice, 2.0)
    assert 0.3 < float(one.areas.sum() / mesh.areas.sum()) < 0.7
    towards = model.cameras.poses[0, :, 3]
    assert (one.vertices @ (towards / towards.norm())).min() > -0.4


def test_small_parts_are_left_out():
    *_, mesh = made()
    speck = Mesh(0.01 * mesh.vertices + 2, mesh.triangles + len(mesh.vertices))
    both = Mesh(torch.cat([mesh.vertices, speck.vertices]), torch.cat([mesh.triangles, speck.triangles]))
    assert len(without_floaters(both, 0.001).triangles) == len(mesh.triangles)
    assert len(without_floaters(both, 0).triangles) == 2 * len(mesh.triangles)


def test_a_mesh_is_simplified_to_its_number_of_triangles():
    *_, mesh = made()
    small = simplified(mesh, 500)
    assert 400 <= len(small.triangles) <= 500
    assert float(small.areas.sum() / mesh.areas.sum()) == pytest.approx(1, abs=0.03)
    assert simplified(mesh, 10**6) is mesh


@pytest.mark.parametrize(("density", "has_field"), [(0.0, True), (1e6, False)])
def test_a_field_without_surface_is_named(density, has_field):
    model, lattice = ball.model(), Lattice(ball.SCENES["box"], 16, 3.0)
    model.teacher.density, model.teacher.has_field = density, has_field
    with pytest.raises(UserError, match="level" if has_field else "Ball"):
        surface(opacities(model.teacher, lattice), lattice, LEVEL)


def test_a_field_that_is_not_finite_is_named():
    lattice = Lattice(ball.SCENES["box"], 16, 3.0)
    with pytest.raises(UserError, match="finite"):
        surface(torch.full(lattice.shape, torch.nan), lattice, LEVEL)
