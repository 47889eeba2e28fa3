"""PLY files of Gaussians as other programs write them: order, types, elements, colours, scales; compressed."""

import json

import numpy as np
import pytest
import torch
from splats import random_gaussians
from test_splat_files import sog_files

from nfcore import UserError
from nfcore_splats.files import read_gaussians
from nfcore_splats.gaussians import CONSTANT, rotation_matrices
from nfcore_splats.ply import write_ply

WHOLE = random_gaussians(9, degree=1)


def table():
    """Return the columns of a PLY of the reference code by name."""
    head, _, body = write_ply(WHOLE).partition(b"end_header\n")
    names = [line.split()[2].decode() for line in head.splitlines() if line.startswith(b"property")]
    return dict(zip(names, np.frombuffer(body, "<f4").reshape(9, -1).T, strict=True))


def ply(columns, form="binary_little_endian", before="", first=b"", **types):
    """Return a PLY file of such columns, of float but for ``types``."""
    codes = {"float": "f4", "double": "f8", "uchar": "u1"}
    kinds = {name: types.get(name, types.get("every", "float")) for name in columns}
    head = f"ply\nformat {form} 1.0\n{before}element vertex 9\n"
    head += "".join(f"property {kind} {name}\n" for name, kind in kinds.items()) + "end_header\n"
    if form == "ascii":
        rows = zip(*columns.values(), strict=True)
        return (
            head.encode()
            + first
            + "\n".join(" ".join(repr(float(value)) for value in row) for row in rows).encode()
        )
    order = "<" if "little" in form else ">"
    record = np.empty(9, [(name, order + codes[kind]) for name, kind in kinds.items()])
    for name, column in columns.items():
        record[name] = column
    return head.encode() + first + record.tobytes()


def reversed_order():
    return dict(reversed(table().items()))


EXTRINSIC = "comment von Bj\u00f6rn\nelement extrinsic 2\nproperty float extrinsic\n"


@pytest.mark.parametrize(
    "data",
    [
        ply(reversed_order()),
        ply({name: column for name, column in table().items() if name not in ("nx", "ny", "nz")}),
        ply(table() | {"filter_3D": np.ones(9), "label": np.ones(9)}, label="uchar"),
        ply(table(), every="double"),
        ply(table(), "binary_big_endian"),
        ply(reversed_order(), "ascii"),
        ply(table(), before=EXTRINSIC, first=np.ones(2, "<f4").tobytes()),
        ply(table(), "ascii", before=EXTRINSIC, first=b"1\n2\n"),
        ply(table()) + bytes(100),
    ],
    ids=["order", "no normals", "more", "double", "big endian", "text", "elements", "elements in text", "longer"],
)
def test_a_ply_of_any_writer_has_every_number(tmp_path, data):
    (tmp_path / "a.ply").write_bytes(data)
    for name, tensor in read_gaussians(tmp_path / "a.ply").gaussians.tensors.items():
        assert tensor == pytest.approx(WHOLE.tensors[name], abs=1e-6), name


def test_colours_may_be_bytes_in_place_of_harmonics(tmp_path):
    columns = {name: column for name, column in table().items() if not name.startswith("f_")}
    columns |= {"red": np.full(9, 255), "green": np.full(9, 0), "blue": np.full(9, 51)}
    (tmp_path / "a.ply").write_bytes(ply(columns, red="uchar", green="uchar", blue="uchar"))
    read = read_gaussians(tmp_path / "a.ply").gaussians
    assert read.degree == 0
    assert read.harmonics[0, 0] * CONSTANT + 0.5 == pytest.approx([1, 0, 0.2], abs=1e-6)


def test_flat_gaussians_of_two_scales_have_no_thickness(tmp_path):
    (tmp_path / "a.ply").write_bytes(ply({name: column for name, column in table().items() if name != "scale_2"}))
    read = read_gaussians(tmp_path / "a.ply").gaussians
    assert read.log_scales[:, :2] == pytest.approx(WHOLE.log_scales[:, :2], abs=1e-6)
    assert float(read.log_scales[:, 2].exp().max()) < 1e-8


def test_infinite_logits_are_opaque_and_a_quaternion_of_zeros_is_no_turn(tmp_path):
    columns = table()
    columns["opacity"] = np.where(np.arange(9) == 4, np.inf, -np.inf)
    columns |= {f"rot_{index}": np.zeros(9) for index in range(4)}
    (tmp_path / "a.ply").write_bytes(ply(columns))
    read = read_gaussians(tmp_path / "a.ply")
    assert read.notes == () and read.gaussians.opacity_logits.sigmoid().round().sum() == 1
    assert read.gaussians.quaternions.tolist() == [[1, 0, 0, 0]] * 9


def packed_ply(count=300, harmonics=True, chunks=2):
    """Return a compressed PLY: in the second chunk, positions and scales are four units further."""
    axes = [f"{end}_{kind}{axis}" for kind in ("", "scale_") for end in ("min", "max") for axis in "xyz"]
    axes += [f"{end}_{colour}" for end in ("min", "max") for colour in "rgb"]
    bounds = np.array([[0, 0, 0, 1, 2, 4, -4, -4, -4, -3, -2, -1, 0, 0, 0, 1, 1, 0.5]], "<f4").repeat(chunks, 0)
    bounds[1:, :6] += 4
    head = f"ply\nformat binary_little_endian 1.0\nelement chunk {chunks}\n"
    head += "".join(f"property float {name}\n" for name in axes) + f"element vertex {count}\n"
    head += "".join(f"property uint packed_{name}\n" for name in ("position", "rotation", "scale", "color"))
    # The greatest x, the least y, the greatest z; w = cos(60 degrees) is stored, x is the largest.
    turn = 1 << 30 | round((0.5 / 2**0.5 + 0.5) * 1023) << 20 | 512 << 10 | 512
    row = [2047 << 21 | 2047, turn, 1023 << 11, 255 << 24 | 255 << 8 | 51]
    body = bounds.tobytes() + np.array([row] * count, "<u4").tobytes()
    if harmonics:
        head += f"element sh {count}\n" + "".join(f"property uchar f_rest_{index}\n" for index in range(9))
        body += np.array([[255, 128, 128, 0, 128, 128, 128, 128, 128]] * count, "u1").tobytes()
    return head.encode() + b"end_header\n" + body


@pytest.mark.parametrize("harmonics", [True, False])
def test_supersplats_compressed_ply_is_unpacked(tmp_path, harmonics):
    (tmp_path / "a.compressed.ply").write_bytes(packed_ply(harmonics=harmonics))
    read = read_gaussians(tmp_path / "a.compressed.ply").gaussians
    assert (len(read), read.degree) == (300, int(harmonics))
    assert read.means[255].tolist() == [1, 0, 4] and read.means[256].tolist() == [5, 4, 8]
    assert read.log_scales[0].tolist() == [-4, -2, -4]
    third = torch.tensor(1 / 3).mul(torch.pi)
    expected = rotation_matrices(torch.tensor([[third.cos(), third.sin(), 0, 0]]))
    assert rotation_matrices(read.quaternions[:1]) == pytest.approx(expected, abs=3e-3)
    assert read.harmonics[0, 0] * CONSTANT + 0.5 == pytest.approx([1, 0, 0.5], abs=1e-6)
    assert float(read.opacity_logits[0].sigmoid()) == pytest.approx(0.2, abs=1e-6)
    if harmonics:  # all of red, then green, then blue
        assert read.harmonics[0, 1] == pytest.approx([4, -4, 0], abs=0.02)


@pytest.mark.parametrize(
    ("data", "named"),
    [(packed_ply(chunks=1), "chunks"), (packed_ply()[:-1], "cut short"), (packed_ply()[:2000], "cut short")],
)
def test_a_damaged_compressed_ply_is_named(tmp_path, data, named):
    (tmp_path / "a.ply").write_bytes(data)
    with pytest.raises(UserError, match=named):
        read_gaussians(tmp_path / "a.ply")


def test_a_folder_of_the_reference_code_is_answered_with_its_last_file(tmp_path):
    for iteration in (7000, 30000):
        folder = tmp_path / "point_cloud" / f"iteration_{iteration}"
        folder.mkdir(parents=True)
        (folder / "point_cloud.ply").write_bytes(write_ply(WHOLE))
    (tmp_path / "input.ply").write_text("")
    with pytest.raises(UserError, match=r"choose .*iteration_30000/point_cloud\.ply"):
        read_gaussians(tmp_path)


def test_sog_may_be_named_by_its_json(tmp_path):
    for name, data in sog_files().items():
        (tmp_path / name).write_bytes(data)
    assert json.loads((tmp_path / "meta.json").read_text())["count"] == len(
        read_gaussians(tmp_path / "meta.json").gaussians
    )
