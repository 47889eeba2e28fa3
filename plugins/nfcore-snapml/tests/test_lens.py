"""What the three files compute in a row, against torch and against the form of Snap's own lenses."""

from __future__ import annotations

import shutil
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from uneven_students import points_student

import nfcore
from nfcore import Cameras, DeployedLightField, NfcoreError, Tolerance, UserError

pytestmark = pytest.mark.slow

FILES = ("Sampler.onnx", "Embedder.onnx", "Network.onnx")


def off(student, runner, cameras=None) -> float:
    """Return the greatest difference from the canonical module, over all cameras."""
    cameras = cameras or student.cameras
    expected = DeployedLightField(student)(cameras.poses, cameras.intrinsics)
    return float((runner.render(cameras.poses, cameras.intrinsics) - expected).abs().max())


def run(folder, name, **inputs):
    return onnxruntime.InferenceSession(folder / name, providers=["CPUExecutionProvider"]).run(None, inputs)[0]


def widened(cameras):
    """The same cameras, each with other intrinsics."""
    factors = torch.linspace(0.8, 1.3, 4 * len(cameras)).reshape(-1, 4)
    return Cameras(cameras.poses, cameras.intrinsics * factors, cameras.height, cameras.width)


# -- the image -------------------------------------------------------------------------------------------------


def test_in_a_row_they_give_the_image_of_the_canonical_module(student, exporter, exported):
    assert off(student, exporter().load(exported(student))) <= 1e-4
    assert exporter().tolerance == Tolerance(psnr=80, max_error=1e-4)


@pytest.mark.parametrize("name", ["paper", "unbounded"])
def test_as_an_input_intrinsics_may_be_any(students, exporter, exported, name):
    student = students[name]
    runner = exporter(intrinsics="input").load(exported(student, intrinsics="input"))
    assert off(student, runner) <= 1e-4
    assert off(student, runner, widened(student.cameras)) <= 1e-4


def test_other_intrinsics_than_those_in_the_sampler_are_refused(papers, exporter, exported):
    runner = exporter().load(exported(papers))
    other = widened(papers.cameras)
    with pytest.raises(UserError) as error:
        runner.render(other.poses, other.intrinsics)
    assert "Sampler.onnx: made for fx, fy, cx, cy = 30.8, 33.6, 13.44, 10.6, not " in str(error.value)
    assert str(error.value).partition("; ")[2].startswith('export with intrinsics = "input"')


def test_reference_cameras_that_differ_are_refused_unless_intrinsics_are_an_input(students, exporter, tmp_path):
    student = students["box-linear-x3"]
    own = student.cameras
    student.cameras = widened(own)
    try:
        with pytest.raises(UserError, match=r'differ in their intrinsics.* intrinsics = "input"'):
            exporter().export(student, tmp_path)
        assert not list(tmp_path.iterdir())
        exporter(intrinsics="input").export(student, tmp_path)
        assert off(student, exporter(intrinsics="input").load(tmp_path)) <= 1e-4
    finally:
        student.cameras = own


def test_ten_octaves_stay_within_the_floor(exporter, tmp_path):
    """The recipe mobiler2l-k16-l10: its largest angles are 3,000; the sum in sin(x + pi / 2) would round them."""
    student = points_student(encoding={"samples": 16, "octaves": 10})
    exporter().export(student, tmp_path)
    assert off(student, exporter().load(tmp_path)) <= 1e-4


# -- the form --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def again(papers, exporter, tmp_path_factory):
    """What the exporter says of a second export of the same student, and its folder."""
    folder = tmp_path_factory.mktemp("again")
    return exporter().export(papers, folder), folder


def test_names_and_shapes_are_those_of_snaps_lens_project(papers, exported, again):
    """MobileR2L's lens/prepare_lens.py and utils.py: grid of 5 x 7 rays, 4 points, 3 octaves."""
    folder = exported(papers)
    shapes = {}
    for name in FILES:
        graph = onnx.load(folder / name).graph
        for value in (*graph.input, *graph.output):
            shapes[value.name] = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
    assert shapes == {
        "c2w33": [1, 1, 3, 3],
        "c2w13": [1, 1, 1, 3],
        "pts": [1, 1, 35, 12],
        "rays": [1, 1, 35, 12],
        "embbrays": [1, 7, 35, 12],
        "input": [1, 84, 5, 7],
        "output": [1, 3, 20, 28],
    }
    said, _ = again
    assert {port.name: list(port.shape) for file in said.files for port in (*file.inputs, *file.outputs)} == shapes
    assert [file.name for file in said.files] == list(FILES)


def test_points_and_features_are_those_of_the_reference(papers, exported):
    """Its formulas, written down anew: depths even from near to far; sines, cosines, the point itself."""
    folder = exported(papers)
    camera = papers.cameras[1]
    pose, (fx, fy, cx, cy) = camera.poses[0].numpy(), camera.intrinsics[0].tolist()
    points = run(folder, "Sampler.onnx", c2w33=pose[None, None, :, :3], c2w13=pose[None, None, None, :, 3])
    features = run(folder, "Embedder.onnx", rays=points)
    row, column, k = 3, 5, 2
    u, v = (column + 0.5) * 4, (row + 0.5) * 4
    direction = pose[:, :3] @ np.array([(u - cx) / fx, -(v - cy) / fy, -1])
    point = pose[:, 3] + (2 + (6 - 2) * k / 3) * direction
    ray = row * 7 + column
    assert points[0, 0, ray, 3 * k : 3 * k + 3] == pytest.approx(point, abs=1e-5)
    angles = point[:, None] * 2.0 ** np.arange(3)
    expected = np.concatenate([np.sin(angles), np.cos(angles), point[:, None]], 1).T
    assert features[0, :, ray, 3 * k : 3 * k + 3] == pytest.approx(expected, abs=1e-4)


def test_the_network_takes_the_features_as_they_lie_with_channels_last(papers, exported):
    folder = exported(papers)
    camera = papers.cameras[0]
    pose = camera.poses.numpy()
    points = run(folder, "Sampler.onnx", c2w33=pose[:, None, :, :3], c2w13=pose[:, None, None, :, 3])
    flat = run(folder, "Embedder.onnx", rays=points).transpose(0, 2, 3, 1).ravel()
    expected = papers.encoding(*nfcore.ray_grid(camera.poses, camera.intrinsics, 20, 28, 4))
    assert torch.from_numpy(flat).reshape(5, 7, 84) == pytest.approx(expected[0].permute(1, 2, 0), abs=1e-4)


def test_gelu_is_snaps_node_and_nothing_takes_a_cosine(papers, exported):
    nodes = Counter()
    for name in FILES:
        model = onnx.load(exported(papers) / name)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 11)]
        nodes += Counter(node.op_type for node in model.graph.node)
        assert not {node.domain for node in model.graph.node} - {""}
    assert nodes["GeluSnap"] == 1 + 2 + 2 * 2, "the head, two blocks, two stages of two blocks"
    assert nodes["Sin"] == 2
    assert not {"Cos", "Gelu", "Erf", "Relu", "BatchNormalization", "Gather", "MatMul"} & set(nodes)


@pytest.mark.parametrize("name", FILES)
def test_no_tensor_has_more_than_four_axes(student, exported, name):
    graph = onnx.load(exported(student) / name)
    for node in graph.graph.node:  # of the shape of its input, which shape inference can't know of SnapML's node
        node.op_type = "Relu" if node.op_type == "GeluSnap" else node.op_type
    inferred = onnx.shape_inference.infer_shapes(graph, strict_mode=True).graph
    assert len(inferred.value_info) >= len(inferred.node) - 1
    assert max(len(value.type.tensor_type.shape.dim) for value in inferred.value_info) <= 4


def test_the_same_student_gives_the_same_bytes(papers, exported, again):
    _, folder = again
    for name in FILES:
        data = (folder / name).read_bytes()
        assert data == (exported(papers) / name).read_bytes()
        assert b"site-packages" not in data
        assert b"File " not in data


def test_what_could_not_be_verified_is_said(again):
    said, _ = again
    assert any(line.startswith("Lens Studio and SnapML") for line in said.unverified)
    assert any(line.startswith("GeluSnap") for line in said.unverified)
    assert said.report["operations"]["Network.onnx"]["GeluSnap"] == 7


# -- wrong files ------------------------------------------------------------------------------------------------


def swap_signs_of_rows(model):
    """Rays that run upwards where they should run downwards."""
    for tensor in model.graph.initializer:
        if list(tensor.dims) == [1, 1, 5, 7] and np.ptp(numpy_helper.to_array(tensor), axis=2).any():
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))


def move_far(model):
    """Points that end too soon."""
    for tensor in model.graph.initializer:
        if numpy_helper.to_array(tensor).max(initial=0) == 6:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(0.9), tensor.name))


def swap_sine_and_cosine(model):
    (concat,) = (node for node in model.graph.node if node.op_type == "Concat")
    concat.input[0], concat.input[1] = concat.input[1], concat.input[0]


def relu_for_gelu(model):
    for node in model.graph.node:
        node.op_type = "Relu" if node.op_type == "GeluSnap" else node.op_type


def drop_a_bias(model):
    del [node for node in model.graph.node if node.op_type == "Conv"][-1].input[2]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("Sampler.onnx", swap_signs_of_rows),
        ("Sampler.onnx", move_far),
        ("Embedder.onnx", swap_sine_and_cosine),
        ("Network.onnx", relu_for_gelu),
        ("Network.onnx", drop_a_bias),
    ],
)
def test_a_wrong_file_misses_the_floor(papers, exporter, exported, tmp_path, name, damage):
    shutil.copytree(exported(papers), tmp_path, dirs_exist_ok=True)
    model = onnx.load(tmp_path / name)
    before = model.SerializeToString(deterministic=True)
    damage(model)
    assert model.SerializeToString(deterministic=True) != before
    onnx.save(model, tmp_path / name)
    assert off(papers, exporter().load(tmp_path)) > 1e-3


# -- what is refused --------------------------------------------------------------------------------------------


def test_an_encoding_without_halves_is_refused_by_name(papers, exporter, tmp_path, monkeypatch):
    monkeypatch.setattr(type(papers.encoding), "halves", nfcore.RayEncoding.halves)
    with pytest.raises(UserError) as error:
        exporter().export(papers, tmp_path)
    assert all(named in str(error.value) for named in ("'snapml'", "Points", "'points'"))
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_the_gelu_approximated_by_tanh_is_refused(exporter, tmp_path, capfd):
    student = points_student()
    for module in student.modules():
        if isinstance(module, torch.nn.GELU):
            module.approximate = "tanh"
    with pytest.raises(
        NfcoreError, match=r"^this student can't be expressed in ONNX opset 11, SnapML's: .*Gelu"
    ) as error:
        exporter().export(student, tmp_path)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_foreign_file_is_named(papers, exporter, exported, tmp_path, name):
    shutil.copytree(exported(papers), tmp_path, dirs_exist_ok=True)
    model = onnx.load(tmp_path / name)
    for node in model.graph.node:
        node.input[:] = ["camera" if entry == model.graph.input[0].name else entry for entry in node.input]
    model.graph.input[0].name = "camera"
    onnx.save(model, tmp_path / name)
    with pytest.raises(UserError, match=f"{name}: not from this exporter: it has camera, "):
        exporter().load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=f"{name}: no such file; export the student to get it$"):
        exporter().load(tmp_path)


def test_a_sampler_that_does_not_say_its_intrinsics_is_refused(papers, exporter, exported, tmp_path):
    shutil.copytree(exported(papers), tmp_path, dirs_exist_ok=True)
    model = onnx.load(tmp_path / "Sampler.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "Sampler.onnx")
    with pytest.raises(UserError, match=r"intrinsics.* export it again"):
        exporter().load(tmp_path)
