"""What is written: codes of vertices, what is left out, and what of it is read again."""

from __future__ import annotations

import dataclasses
import json
import zlib

import bakeable
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nfcore import UserError
from nfcore.exports import BakedRenderer
from nfcore_webgl import cells, limits, vertices
from nfcore_webgl.archive import Archive
from nfcore_webgl.baking import bake
from nfcore_webgl.coding import code
from nfcore_webgl.evaluator import Evaluator
from nfcore_webgl.header import describe
from nfcore_webgl.importance import importance, visited

pytestmark = pytest.mark.slow


def psnr(a, b):
    return float(-10 * (a - b).square().mean().clamp_min(1e-14).log10())


def some_vertices(seed, shape, share):
    random = np.random.default_rng(seed)
    stored = random.random(shape) < share
    return stored, random.integers(0, 256, (int(stored.sum()), 8)).astype(np.uint8)


@given(seed=st.integers(0, 1000), share=st.sampled_from([0.0, 0.2, 0.8, 1.0]))
@settings(max_examples=20, deadline=None)
def test_codes_are_decoded_to_what_they_were(seed, share):
    stored, codes = some_vertices(seed, (3, 4, 5), share)
    differences, found = vertices.encode(codes, stored, np.zeros(codes.shape, np.int64))
    assert (found == codes).all()
    assert (vertices.decode(differences, stored) == codes).all()


def test_codes_are_off_by_no_more_than_they_may_be():
    stored, codes = some_vertices(0, (6, 7, 8), 0.6)
    tolerance = np.arange(codes.size).reshape(codes.shape) % 41
    tolerance[:, 0] = 0
    differences, found = vertices.encode(codes, stored, tolerance)
    off = np.abs(found.astype(int) - codes)
    assert (off <= tolerance).all()
    assert (off[:, 0] == 0).all()
    assert off[:, 1:].max() > 10
    assert (vertices.decode(differences, stored) == found).all()


def test_distances_are_those_to_the_nearest_occupied_cell():
    occupied = torch.zeros(9, 5, 4, dtype=torch.bool)
    occupied[2, 1, 3] = True
    place = torch.stack(torch.meshgrid(*(torch.arange(n) for n in occupied.shape), indexing="ij"), -1)
    assert torch.equal(cells.distances(occupied).long(), (place - torch.tensor([2, 1, 3])).abs().amax(-1))


def test_voxels_know_their_corners_and_their_macro_cells():
    voxels = torch.zeros(7, 5, 9, dtype=torch.bool)
    voxels[6, 2, 3] = True
    assert cells.corners_of_voxels(voxels).nonzero().amin(0).tolist() == [6, 2, 3]
    assert cells.corners_of_voxels(voxels).nonzero().amax(0).tolist() == [7, 3, 4]
    occupied = cells.occupied_cells(voxels)
    assert occupied.nonzero().tolist() == [[1, 0, 0]]
    inside = cells.voxels_of(occupied, (8, 6, 10))
    assert inside.shape == voxels.shape
    assert inside.nonzero().amin(0).tolist() == [4, 0, 0]
    assert inside.nonzero().amax(0).tolist() == [6, 3, 3]


@pytest.mark.parametrize("kind", bakeable.SCENES)
def test_what_the_page_holds_shows_what_the_teacher_shows(exported, kind):
    export = exported(kind, psnr=None)
    cameras = export.model.cameras
    shown = export.exporter.load(export.folder).render(cameras.poses, cameras.intrinsics)
    assert export.model.render(cameras).std() > 0.05
    assert psnr(shown, export.model.render(cameras)) > 50


@pytest.mark.parametrize("kind", bakeable.SCENES)
def test_the_evaluator_agrees_with_the_cores_renderer_on_the_same_codes(exported, kind):
    """The core's does not know the least weight of a sample."""
    export = exported(kind, psnr=None)
    archive = Archive.of_page(export.page.read_text(), "page")
    field, voxels = archive.decoded("page")
    density, baked = archive.header.density, export.model.teacher.baked()
    share = field.codes[:, :1].float() / 255
    raw = density.low + share * (density.high - density.low)
    rows = field.rows.reshape(-1)
    stored = (rows > 0).nonzero()[:, 0]
    table = torch.cat([raw, field.codes[:, 1:].float() / 255], 1)
    coded = dataclasses.replace(
        baked,
        vertices=stored,
        table=torch.cat([table[:1], table[rows[stored].long()]]),
        occupied=voxels,
    )
    cameras = export.model.cameras[0]
    expected = BakedRenderer(coded).render(cameras.rays().flat()).rgb.view(1, cameras.height, cameras.width, 3)
    assert psnr(Evaluator(archive.header, field, voxels).images(cameras).permute(0, 2, 3, 1), expected) > 65


def test_the_folder_has_the_same_data_as_the_page(exported):
    export = exported()
    page, folder = Archive.of_page(export.page.read_text(), "page"), Archive.of_folder(export.folder / "field")
    assert page == folder
    names = {path.name for path in (export.folder / "field").iterdir()}
    assert {
        "field.json",
        "field.frag",
        "field.vert",
        "field.wgsl",
        "codes.bin",
        "occupied.bin",
        "distances.bin",
    } <= names


def test_rounding_saves_bytes_and_costs_quality(exported):
    sizes, losses = [], []
    for wanted in (None, 55.0, 40.0):
        export = exported(psnr=wanted)
        cameras = export.model.cameras
        sizes.append(Archive.of_folder(export.folder / "field").bytes)
        shown = export.exporter.load(export.folder).render(cameras.poses, cameras.intrinsics)
        losses.append(psnr(shown, export.model.render(cameras)))
    assert sizes == sorted(sizes, reverse=True)
    assert losses == sorted(losses, reverse=True)
    assert losses[1] > 52
    assert losses[2] > 37


def test_what_no_view_shows_is_left_out():
    model = bakeable.model()
    everything, seen = (bake(model, prune, None, 4) for prune in (0.0, 0.12))
    assert everything.voxels.equal(model.baked().occupied)
    middle = tuple(torch.tensor(bakeable.SHAPE) // 2)
    assert everything.voxels[middle]
    assert not seen.voxels[middle], "the middle of an opaque ball"


def test_the_sensitivity_of_a_code_is_how_much_pixels_change_with_it():
    model = bakeable.model()
    baked = model.baked()
    field = code(baked)
    evaluator = Evaluator(describe(baked, field, bakeable.WIDTH, bakeable.HEIGHT), field, baked.occupied)
    cameras = visited(model, 4)
    found = importance(evaluator, cameras)
    row, channel = divmod(int(found.codes[:, 1:4].flatten().argmax()), 3)
    images = []
    for off in (-2.0, 2.0):
        codes = field.codes.float()
        codes[row, 1 + channel] += off
        images.append(evaluator.with_codes(codes).images(cameras))
    change = (images[1] - images[0]).square().mean((1, 2, 3)).sqrt().amax() / 4
    # One projection for each view is noisy, and the largest of all codes is one of the lucky ones.
    assert change / 3 < found.codes[row, 1 + channel] < 3 * change


def test_the_code_of_nothing_is_clear_even_where_all_that_is_stored_is_dense():
    baked = bakeable.ball(bakeable.SCENES["box"])
    dense = dataclasses.replace(baked, table=baked.table.clone())
    dense.table[1:, 0] = 1.0
    low = torch.tensor(code(dense).low)
    assert float(dense.density(low) * dense.step) < 2e-5


def test_a_teacher_that_cannot_be_baked_is_named_with_one_that_can(tmp_path, exported):
    model = bakeable.model()
    model.teacher.baked = lambda: None
    with pytest.raises(UserError, match=r"Ball.* can't be baked; teachers that can: .*deferred"):
        exported().exporter.export(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_field_too_large_for_textures_is_refused_before_anything_is_written(tmp_path, exported, monkeypatch):
    monkeypatch.setattr(limits, "_SIDE", 9)
    exporter = exported().exporter
    with pytest.raises(UserError, match=r"resolution = \d+ \(now 24\)"):
        exporter.export(bakeable.model(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_it_promises_50_decibels_unless_less_is_asked_for(exported):
    assert [exported(psnr=psnr).exporter.tolerance.psnr for psnr in (None, 55.0, 40.0)] == [50, 49, 34]


def test_it_says_how_close_it_is_and_what_was_asked_is_kept(exported):
    for psnr in (55.0, 40.0):
        kept = exported(psnr=psnr).exported.report[
            "least PSNR to the teacher in views like the reference views, dB"
        ]
        assert psnr <= kept["as written"] < psnr + 3
        assert kept["as written"] < kept["with all 8 bits"]
    assert f"{kept['as written']:.1f} dB" in exported(psnr=40.0).exported.precision


@pytest.mark.parametrize("block", ["codes", "occupied", "distances"])
def test_a_block_that_is_cut_short_is_named(exported, tampered, block):
    def cut(text):
        first = text.index(f'id="{block}">') + len(f'id="{block}">')
        last = text.index("<", first)
        return text[:first] + text[first : first + (last - first) // 8 * 4] + text[last:]

    export, path = exported(), tampered(exported().page, cut)
    path.rename(path.parent / "baked_field.html")
    with pytest.raises(UserError, match=f"data block '{block}' is damaged or cut short") as error:
        export.exporter.load(path.parent)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", [lambda t: "", lambda t: t[:5000], lambda t: t.replace('"stop"', '"stopped"')])
def test_a_page_that_is_no_such_page_is_refused(exported, tampered, damage):
    path = tampered(exported().page, damage)
    path.rename(path.parent / "baked_field.html")
    with pytest.raises(UserError, match=r"baked_field\.html: not a"):
        exported().exporter.load(path.parent)


def test_a_folder_without_a_file_says_which(exported, tmp_path):
    with pytest.raises(UserError, match=r"field\.json"):
        Archive.of_folder(tmp_path)
    header = json.loads((exported().folder / "field" / "field.json").read_text())
    (tmp_path / "field.json").write_text(json.dumps(header))
    with pytest.raises(UserError, match="distances"):
        Archive.of_folder(tmp_path)


def test_data_that_inflates_to_more_than_the_header_says_is_refused(exported):
    archive = Archive.of_folder(exported().folder / "field")
    bomb = dataclasses.replace(archive, blocks={**archive.blocks, "codes": zlib.compress(bytes(1 << 24))})
    with pytest.raises(UserError, match="codes"):
        bomb.decoded("it")
    grid = archive.header.grid.model_copy(update={"shape": (1000, 1000, 1000)})
    with pytest.raises(UserError, match="voxels"):
        dataclasses.replace(archive, header=archive.header.model_copy(update={"grid": grid})).decoded("it")


def test_the_report_says_what_a_pixel_costs(exported):
    small, large = (exported("box", values).exported.report["work of a pixel"] for values in (7, 15))
    assert 0 < small["look-ups"] < large["look-ups"]
    assert small["bytes"] == pytest.approx(32 * small["look-ups"], rel=0.01)
    assert small["multiply-adds"] > 32 * small["look-ups"], "the network as well"
