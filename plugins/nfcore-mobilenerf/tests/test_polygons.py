"""Surfaces of a field, what a sample shows of them, and how their texels are fitted."""

from __future__ import annotations

import fitted
import pytest
import torch

import nfcore
from nfcore import Rendering, Scene, Teacher, UserError
from nfcore_mobilenerf.mesh import Quads, quads_of
from nfcore_mobilenerf.pixels import Pixels
from nfcore_mobilenerf.polygons import check_size
from nfcore_mobilenerf.rasterizer import Triangles
from nfcore_mobilenerf.texel_fit import BOTH, FROZEN, HARD, SOFT, first_texels, step

SCENES = {
    "box": Scene(near=2, far=6, box=((-1, -1, -1), (1, 1, 1))),
    "ndc": Scene(near=1, far=8, box=((-8, -4, -8), (8, 4, -1)), forward_facing=True),
    "contracted": Scene(near=1, far=30, box=((-1, -1, -1), (1, 1, 1)), unbounded=True),
}


class Ball(Teacher):
    """A ball of some density."""

    def __init__(self, scene, density, centre=(0.0, 0.0, 0.0), radius=0.7):
        super().__init__(nfcore.Options(), scene)
        self.density, self.radius = torch.nn.Parameter(torch.tensor(density)), radius
        self.centre = torch.tensor(centre)

    def fit(self, source, budget, reporter):
        raise NotImplementedError

    def render(self, rays):
        raise NotImplementedError

    def field(self, points):
        inside = torch.sigmoid(40 * (self.radius - (points - self.centre).norm(dim=1)))
        return nfcore.Field(self.density * inside, None)


@pytest.mark.parametrize("kind", SCENES)
def test_surfaces_are_where_the_density_is(kind):
    centre = (0.0, 0.0, -3.0) if kind == "ndc" else (0.0, 0.0, 0.0)
    found = quads_of(Ball(SCENES[kind], 60.0, centre), 40, (0.5,))
    distance = (found.vertices - torch.tensor(centre)).norm(dim=1)
    # Far away, NDC is coarse along the cameras' axis.
    assert (distance - 0.7).abs().max() < (0.3 if kind == "ndc" else 0.1)
    # Closed: each side of a quad is that of another one too.
    sides = torch.cat([found.corners[:, [i, (i + 1) % 4]] for i in range(4)]).sort(1).values
    assert (sides.unique(dim=0, return_counts=True)[1] == 2).all()


def test_each_level_makes_a_shell():
    teacher = Ball(SCENES["box"], 60.0)
    one, two = (quads_of(teacher, 24, levels) for levels in ((0.5,), (0.02, 0.5)))
    assert len(two) > 1.8 * len(one)
    assert len(two.vertices.unique(dim=0)) > 1.8 * len(one.vertices)


def test_a_field_without_a_surface_is_told_with_how_opaque_it_is():
    with pytest.raises(UserError, match=r"no surface.*0\.0"):
        quads_of(Ball(SCENES["box"], 1e-4), 24, (0.5,))


def test_a_thin_field_has_its_surface_where_half_its_density_is():
    assert len(quads_of(Ball(SCENES["box"], 0.5), 24, (0.5,)))


class NoVolume(Ball):
    def field(self, points):
        return None


def test_a_teacher_that_is_no_volume_is_named():
    with pytest.raises(UserError, match="NoVolume"):
        quads_of(NoVolume(SCENES["box"], 1.0), 24, (0.5,))


def test_too_many_texels_for_a_texture_are_told_with_what_fits():
    check_size(100_000, 12, 256)
    with pytest.raises(UserError) as raised:
        check_size(100_000, 16, 256)
    check_size(100_000, 12, 256)
    assert "texels = 12" in str(raised.value)
    assert "cells = 206" in str(raised.value)
    check_size(round(100_000 * (206 / 256) ** 2), 16, 206)


def test_samples_are_the_nearest_texels_that_are_there():
    camera = nfcore.Cameras(torch.eye(4)[None, :3], torch.tensor([[2.0, 2.0, 1.0, 1.0]]), 2, 2)
    square = torch.tensor([[-1.0, 1.0], [1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    far = [torch.cat([square * depth, torch.full((4, 1), -depth)], 1) for depth in (2.0, 1.0)]
    quads = Quads(torch.cat(far), torch.arange(8, dtype=torch.int32).view(2, 4))
    triangles = Triangles.of_quads(quads, 2)
    both, depth = triangles.samples(camera, 2)
    # Pixels' samples row by row; the texels of a quad that faces the camera are seen row by row too.
    assert both[:, :, 0, 0].tolist() == [[4, 5], [6, 7]]
    assert both[:, :, 0, 1].tolist() == [[0, 1], [2, 3]]
    assert torch.equal(depth[0, 0, 0], torch.tensor([1.0, 2.0]))
    opaque = torch.ones(8, dtype=torch.bool)
    opaque[5] = False
    assert triangles.samples(camera, 1, opaque)[0][:, :, 0, 0].tolist() == [[4, 1], [6, 7]]


def test_a_hole_shows_what_is_behind_and_past_all_is_the_background():
    model = fitted.model()
    seen = model.teacher.render_views(model.cameras)
    assert ((seen.opacity > 0) & (seen.opacity < 1)).any()
    assert (seen.rgb[seen.opacity == 0] - torch.tensor(fitted.SCENE.background)).abs().max() < 1e-6


def scene_of_two_layers():
    """A red texel in front of a green one, in photos that show green; and a texel of each in other pixels."""
    texels = torch.tensor([[0, 1], [2, -1]], dtype=torch.int32)[:, None].repeat(1, 4, 1)
    colours = torch.tensor([[0.1, 0.8, 0.1], [0.8, 0.1, 0.1]])
    directions = torch.tensor([[0.0, 0.0, -1.0]]).repeat(2, 1)
    return Pixels(texels, colours, torch.ones(2), directions, 0.0, 2)


def test_texels_learn_colours_and_binary_opacities_follow_continuous_ones():
    pixels, generator = scene_of_two_layers(), torch.Generator().manual_seed(0)
    texels = first_texels(3, pixels, generator)
    batch, background = torch.tensor([0, 1]), torch.ones(3)
    for kind in (SOFT, BOTH, HARD, FROZEN):
        for _ in range(150):
            error = step(texels, pixels, batch, kind, background, 1.0)
    assert error < 1e-3
    assert texels.table[:3, :8].min() >= 0
    assert texels.table[:3, :8].max() <= 1


def test_a_texel_that_hides_what_photos_show_becomes_a_hole():
    pixels, generator = scene_of_two_layers(), torch.Generator().manual_seed(0)
    # The first texel is red for the one who sees it alone, the second green for another pixel.
    texels = pixels.texels.clone()
    texels[1, :, 0], texels[1, :, 1] = 1, -1
    pixels = Pixels(
        texels, torch.tensor([[1.0, 1, 1], [0.1, 0.8, 0.1]]), torch.tensor([0.0, 1.0]), pixels.directions, 0.0, 2
    )
    lone = Pixels(
        torch.tensor([[0], [1]], dtype=torch.int32)[:, None].repeat(1, 4, 1),
        pixels.colours,
        pixels.alpha,
        pixels.directions,
        0.0,
        2,
    )
    found = first_texels(2, lone, generator)
    for kind in (SOFT, BOTH):
        for _ in range(150):
            step(found, lone, torch.tensor([0, 1]), kind, torch.ones(3), 1.0)
    assert found.table[0, 8] < 0 < found.table[1, 8]


def test_a_teachers_file_of_other_parts_is_refused_by_name(tmp_path):
    from nfcore.pipeline import load_teacher

    path = tmp_path / "teacher.safetensors"
    broken = fitted.teacher()
    broken.opaque = broken.opaque[:-1]
    nfcore.pipeline.save_teacher(broken, path)
    with pytest.raises(UserError, match=r"teacher\.safetensors") as raised:
        load_teacher(path)
    assert "texels" in str(raised.value)


def test_a_rendering_is_one_of_nfcore():
    assert isinstance(fitted.teacher().render_views(fitted.cameras()[:0]), Rendering)
