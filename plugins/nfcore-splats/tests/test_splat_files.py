"""Files of Gaussians: what was written comes back, and what is wrong is named."""

import gzip
import io
import json
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from splats import random_gaussians

from nfcore import UserError
from nfcore_splats.files import read_gaussians
from nfcore_splats.gaussians import CONSTANT, rotation_matrices
from nfcore_splats.ply import write_ply
from nfcore_splats.sanity import MOST
from nfcore_splats.spz import write_spz


def turns(gaussians):
    return rotation_matrices(gaussians.quaternions)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_a_ply_has_every_number(tmp_path, degree):
    gaussians, path = random_gaussians(7, degree), tmp_path / "a.ply"
    path.write_bytes(write_ply(gaussians, ("made by a test",)))
    read = read_gaussians(path)
    assert read.gaussians.degree == degree
    assert (read.up, read.notes) == ((0, -1, 0), ())
    for name, tensor in read.gaussians.tensors.items():
        assert tensor == pytest.approx(gaussians.tensors[name], abs=1e-6), name


def test_a_ply_of_text_is_read_and_its_other_properties_are_ignored(tmp_path):
    names = [*"xyz", "red", "opacity", *(f"scale_{i}" for i in range(3)), *(f"rot_{i}" for i in range(4))]
    names += [f"f_dc_{i}" for i in range(3)]
    head = [
        "ply",
        "format ascii 1.0",
        "element vertex 1",
        *(f"property float {name}" for name in names),
        "end_header",
    ]
    (tmp_path / "a.ply").write_text("\n".join([*head, "1 2 3 255 0.5 -1 -2 -3 2 0 0 0 0.1 0.2 0.3", ""]))
    read = read_gaussians(tmp_path / "a.ply").gaussians
    assert read.means.tolist() == [[1, 2, 3]]
    assert read.quaternions.tolist() == [[1, 0, 0, 0]]
    assert read.harmonics.flatten() == pytest.approx([0.1, 0.2, 0.3])


@pytest.mark.parametrize("degree", [0, 2, 3])
def test_an_spz_has_every_number_to_its_bits(tmp_path, degree):
    gaussians, path = replace(random_gaussians(200, degree), antialiased=True), tmp_path / "a.spz"
    path.write_bytes(write_spz(gaussians))
    file = read_gaussians(path)
    read = file.gaussians
    assert file.up == (0, 1, 0)
    assert read.antialiased
    assert read.means == pytest.approx(gaussians.means, abs=1e-5)
    assert read.log_scales == pytest.approx(gaussians.log_scales, abs=1 / 31)
    assert turns(read) == pytest.approx(turns(gaussians), abs=0.01)
    assert read.opacity_logits.sigmoid() == pytest.approx(gaussians.opacity_logits.sigmoid(), abs=1 / 500)
    assert read.harmonics[:, 0] == pytest.approx(gaussians.harmonics[:, 0], abs=0.5 / 255 / 0.15 + 1e-5)
    if degree:
        small = gaussians.harmonics[:, 1:].abs() < 0.9
        error = (read.harmonics - gaussians.harmonics)[:, 1:].abs()
        assert float(error[:, :3][small[:, :3]].max()) <= 4 / 128 + 1e-6
        assert float(error[small].max()) <= 8 / 128 + 1e-6


def test_an_spz_of_version_2_has_rotations_in_three_bytes(tmp_path):
    turn = bytes([round(127.5 + 127.5 * 0.6), 128, 128])
    body = (4096).to_bytes(3, "little") + (-2048).to_bytes(3, "little", signed=True) + bytes(3)
    body += bytes([255]) + bytes([128, 0, 255]) + bytes([160, 144, 128]) + turn
    head = struct.pack("<IIIBBBB", 0x5053474E, 2, 1, 0, 12, 0, 0)
    (tmp_path / "a.spz").write_bytes(gzip.compress(head + body))
    read = read_gaussians(tmp_path / "a.spz").gaussians
    assert read.means.tolist() == [[1, -0.5, 0]]
    assert read.log_scales.tolist() == [[0, -1, -2]]
    assert read.quaternions[0] == pytest.approx([0.8, 0.6, 0, 0], abs=0.01)


def test_a_splat_is_read_with_its_colour_and_opacity(tmp_path):
    record = struct.pack("<6f8B", 1, 2, 3, 0.5, 1, 2, 255, 0, 51, 128, 128, 255, 128, 128)
    (tmp_path / "a.splat").write_bytes(record)
    read = read_gaussians(tmp_path / "a.splat").gaussians
    assert read.log_scales.exp().flatten() == pytest.approx([0.5, 1, 2])
    assert read.quaternions[0] == pytest.approx([0, 1, 0, 0], abs=0.01)
    assert (read.harmonics[0, 0] * CONSTANT + 0.5) == pytest.approx([1, 0, 0.2], abs=1e-5)
    assert float(read.opacity_logits.sigmoid()) == pytest.approx(128 / 255, abs=1e-5)


def sog_files():
    """Two Gaussians; the harmonics of the second are entry 65 of the palette."""

    def webp(pixels):
        buffer = io.BytesIO()
        Image.fromarray(np.array(pixels, np.uint8)).save(buffer, "WEBP", lossless=True, exact=True)
        return buffer.getvalue()

    palette = np.zeros((2, 64 * 3, 3), np.uint8)
    palette[1, 3:6] = 1
    meta = {
        "version": 2, "count": 2,
        "means": {"mins": [0, 0, -1], "maxs": [1, 1, 1], "files": ["means_l.webp", "means_u.webp"]},
        "scales": {"codebook": [-3, -2, -1], "files": ["scales.webp"]},
        "quats": {"files": ["quats.webp"]},
        "sh0": {"codebook": [0, 0.5], "files": ["sh0.webp"]},
        "shN": {
            "count": 66, "bands": 1, "codebook": [0, 0.25],
            "files": ["shN_centroids.webp", "shN_labels.webp"],
        },
    }  # fmt: skip
    return {
        "meta.json": json.dumps(meta).encode(),
        "means_l.webp": webp([[[255, 0, 255], [0, 0, 0]]]),
        "means_u.webp": webp([[[255, 0, 255], [0, 0, 0]]]),
        "scales.webp": webp([[[0, 1, 2], [2, 2, 2]]]),
        "quats.webp": webp([[[255, 128, 128, 252], [128, 128, 128, 255]]]),
        "sh0.webp": webp([[[1, 0, 0, 255], [0, 0, 0, 51]]]),
        "shN_centroids.webp": webp(palette),
        "shN_labels.webp": webp([[[0, 0, 0], [65, 0, 0]]]),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_a_sog_is_read_from_its_images(tmp_path, zipped):
    path = tmp_path / "a.sog"
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in sog_files().items():
                archive.writestr(name, data)
    else:
        path = tmp_path
        for name, data in sog_files().items():
            (tmp_path / name).write_bytes(data)
    read = read_gaussians(path).gaussians
    e = np.e - 1
    assert read.means == pytest.approx(torch.tensor([[e, 0, e], [0, 0, -e]]), abs=1e-5)
    assert read.log_scales.tolist() == [[-3, -2, -1], [-1, -1, -1]]
    assert read.quaternions == pytest.approx(torch.tensor([[0.7071, 0.7071, 0, 0], [0, 0, 0, 1]]), abs=0.01)
    assert read.harmonics[0, 0].tolist() == [0.5, 0, 0]
    assert (read.harmonics[0, 1:].abs().max(), read.harmonics[1, 1:].min()) == (0, 0.25)
    assert read.opacity_logits.sigmoid()[1] == pytest.approx(0.2, abs=1e-5)


def test_gaussians_that_are_nan_are_left_out_with_a_note(tmp_path):
    gaussians = random_gaussians(5)
    gaussians.means[1, 2], gaussians.harmonics[3, 4, 0] = torch.nan, torch.inf
    (tmp_path / "a.ply").write_bytes(write_ply(gaussians))
    read = read_gaussians(tmp_path / "a.ply")
    assert len(read.gaussians) == 3
    assert "2 of 5" in read.notes[0]
    gaussians.opacity_logits[:] = torch.nan
    (tmp_path / "a.ply").write_bytes(write_ply(gaussians))
    with pytest.raises(UserError, match="all 5"):
        read_gaussians(tmp_path / "a.ply")


MESH = b"""ply
format ascii 1.0
element vertex 3
property float x
property float y
property float z
element face 1
property list uchar int vertex_indices
end_header
"""


def ply_of(count):
    return write_ply(random_gaussians(1)).replace(b"element vertex 1", b"element vertex %d" % count)


@pytest.mark.parametrize(
    ("name", "data", "named"),
    [
        ("a.ply", MESH, "mesh of 1 faces"),
        ("a.ply", MESH.replace(b"element face 1", b"element face 0"), "cloud of points"),
        ("a.ply", b"solid", "PLY"),
        ("a.ply", ply_of(3), "1 of 3"),
        ("a.ply", ply_of(0), "no Gaussians"),
        ("a.ply", ply_of(10**7), f"{MOST:,}"),
        ("a.ply", ply_of(1).replace(b"f_rest_44", b"f_lost_44"), "f_rest"),
        ("a.splat", bytes(33), "32"),
        ("a.splat", b"", "no Gaussians"),
        ("a.spz", b"NGSP\4\0\0\0", "version 4"),
        ("a.spz", gzip.compress(b"NGSP\3", mtime=0), "SPZ"),
        ("a.spz", gzip.compress(struct.pack("<IIIBBBB", 0x5053474E, 3, 10**7, 0, 12, 0, 0), mtime=0), f"{MOST:,}"),
        ("a.spz", write_spz(random_gaussians(9))[:-30], "cut short"),
        ("a.sog", b"PK", "SOG"),
        ("a.obj", b"v 0 0 0", "sog"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, name, data, named):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_gaussians(tmp_path / name)
    assert named in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"meta.json": b"{"}, "meta.json"),
        ({"meta.json": b'{"means": 1}'}, "version 2"),
        ({"sh0.webp": b"RIFF"}, "sh0.webp"),
        ({"quats.webp": None}, "quats.webp"),
    ],
)
def test_a_sog_with_a_damaged_part_names_it(tmp_path, change, named):
    for name, data in (sog_files() | change).items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=named):
        read_gaussians(tmp_path)


def test_a_sog_beyond_its_codebook_is_damaged(tmp_path):
    files = sog_files()
    files["meta.json"] = files["meta.json"].replace(b"[-3, -2, -1]", b"[-3]")
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match="codebook of 1"):
        read_gaussians(tmp_path)
