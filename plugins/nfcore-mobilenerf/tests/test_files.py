"""The official files and the page's data: as documented, read back, and named where they are damaged."""

from __future__ import annotations

import json

import fitted
import numpy as np
import pytest
import torch
from PIL import Image

import nfcore
from nfcore import FittedTeacher, Options, Teacher, UserError
from nfcore_mobilenerf.official_exporter import OfficialFiles
from nfcore_mobilenerf.official_files import read_files
from nfcore_mobilenerf.page_data import PageData
from nfcore_mobilenerf.page_exporter import PolygonPage


def test_official_files_have_the_viewers_axes_and_bytes(official_folder):
    polygons = fitted.polygons()
    lines = (official_folder / "shape0.obj").read_text().splitlines()
    places = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    x, y, z = polygons.quads.vertices.numpy().T
    assert np.allclose(places, np.stack([x, z, -y], 1), atol=1e-5)
    first, second = (np.asarray(Image.open(official_folder / f"shape0.pngfeat{i}.png")) for i in (0, 1))
    texel, across = fitted.TEXELS, first.shape[1] // fitted.TEXELS
    quad, row, column = 13, 1, 2
    seen = np.concatenate(
        [image[quad // across * texel + row, quad % across * texel + column] for image in (first, second)]
    )
    number = (quad * texel + row) * texel + column
    expected = polygons.features[number].numpy().copy()
    expected[[3, 7]] = expected[[3, 7]] // 2 + 128
    assert (seen == (expected if polygons.opaque[number] else 0)).all()
    assert (first[..., 0] > 0).sum() == polygons.opaque.sum()


def test_the_official_network_has_inputs_first(official_folder):
    network = json.loads((official_folder / "mlp.json").read_text())
    assert network["obj_num"] == 1
    assert torch.equal(torch.tensor(network["0_weights"]), fitted.polygons().layers[0][0].T)
    assert len(network["2_bias"]) == 3


def test_official_files_are_read_as_they_were_written(official_folder):
    polygons, shape = fitted.polygons(), read_files(official_folder)
    assert torch.allclose(shape.triangles.vertices, polygons.quads.vertices, atol=1e-6)
    assert int(shape.opaque.sum()) == int(polygons.opaque.sum())
    runner = OfficialFiles(Options()).load(official_folder)
    cameras = fitted.cameras()
    assert fitted.psnr(runner.render(cameras.poses, cameras.intrinsics), fitted.model().render(cameras)) > 40


@pytest.mark.parametrize("name", ["shape0.obj", "shape0.pngfeat0.png", "shape0.pngfeat1.png", "mlp.json"])
@pytest.mark.parametrize("harm", ["missing", "cut", "noise"])
def test_a_damaged_official_file_is_named(official_folder, name, harm):
    path = official_folder / name
    data = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(data[: len(data) * 2 // 3] if harm == "cut" else b"\x00\xff noise\n" * 40)
    with pytest.raises(UserError, match=name) as raised:
        read_files(official_folder)
    assert len(str(raised.value).splitlines()) <= 2


def test_the_page_holds_the_same_polygons(page_folder):
    found = PageData.of_page((page_folder / "polygons.html").read_text(), "page").polygons("page")
    polygons = fitted.polygons()
    assert torch.equal(found.quads.vertices, polygons.quads.vertices)
    assert torch.equal(found.quads.corners, polygons.quads.corners)
    assert torch.equal(found.opaque, polygons.opaque)
    assert torch.equal(found.features[found.opaque], polygons.features[polygons.opaque])


@pytest.mark.parametrize("block", ["vertices", "corners", "features"])
def test_a_block_of_another_page_is_named(page_folder, block):
    data = PageData.of_page((page_folder / "polygons.html").read_text(), "page")
    swapped = dict(data.blocks) | {block: data.blocks["corners" if block != "corners" else "vertices"]}
    with pytest.raises(UserError, match=f"page.*{block}"):
        PageData(data.header, swapped).polygons("page")


class Another(Teacher):
    def fit(self, source, budget, reporter):
        raise NotImplementedError

    def render(self, rays):
        raise NotImplementedError


@pytest.mark.parametrize("exporter", [OfficialFiles, PolygonPage])
def test_a_teacher_without_polygons_is_named(exporter, tmp_path):
    model = FittedTeacher(Another(nfcore.Options(), fitted.SCENE), fitted.cameras())
    with pytest.raises(UserError, match="Another"):
        exporter(exporter.Options()).export(model, tmp_path)
