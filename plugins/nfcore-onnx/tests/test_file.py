"""The exported file itself: what is in it, and what is not."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto
from uneven_students import points_student

import nfcore
from nfcore import NfcoreError, RayEncoding, Scene, UserError
from nfcore.exports import Conversions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(papers, exported):
    return onnx.load(exported(papers) / "light_field.onnx")


@pytest.fixture(scope="module")
def half_model(papers, exported):
    return onnx.load(exported(papers, precision="fp16") / "light_field.onnx")


def element_types(model):
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    known = {
        value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output, *graph.input)
    }
    return known | {tensor.name: tensor.data_type for tensor in graph.initializer}


def shape(value):
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def test_an_export_is_one_file(papers, exported):
    assert [path.name for path in exported(papers).iterdir()] == ["light_field.onnx"]


def test_it_takes_cameras_and_gives_images_with_a_free_batch(model):
    assert {value.name: shape(value) for value in (*model.graph.input, *model.graph.output)} == {
        "pose": ["batch", 3, 4],
        "intrinsics": ["batch", 4],
        "image": ["batch", 3, 20, 28],
    }
    assert all(
        v.type.tensor_type.elem_type == TensorProto.FLOAT for v in (*model.graph.input, *model.graph.output)
    )


def test_opset_20_has_gelu_as_one_node(model):
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 20)]
    nodes = [node.op_type for node in model.graph.node]
    assert nodes.count("Gelu") == 1 + 2 + 2 * 2, "the head, two blocks, two stages of two blocks"
    assert "Erf" not in nodes


def test_norms_are_folded(model):
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


def test_the_whole_file_passes_the_checker(model, half_model):
    onnx.checker.check_model(model, full_check=True)
    onnx.checker.check_model(half_model, full_check=True)


def test_the_file_says_what_it_is(papers, model, half_model):
    notes = {entry.key: entry.value for entry in model.metadata_props}
    assert notes["nfcore_version"] == nfcore.__version__ == model.producer_version
    assert notes["precision"] == "fp32"
    assert (notes["image_width"], notes["image_height"]) == ("28", "20")
    assert "OpenGL" in notes["axes"]
    assert "scene units" in notes["units"]
    assert Scene.model_validate_json(notes["scene"]) == papers.scene
    assert {entry.key: entry.value for entry in half_model.metadata_props} == notes | {"precision": "fp16"}
    for value in (*model.graph.input, *model.graph.output):
        assert value.doc_string


def test_fp16_halves_weights_and_file_but_not_the_rays(papers, exported, half_model):
    types = element_types(half_model)
    weights = [t for t in half_model.graph.initializer if t.name.startswith("image.")]
    assert weights
    assert {t.data_type for t in weights} == {TensorProto.FLOAT16}
    for node in half_model.graph.node:
        if node.op_type in ("Sin", "Cos", "Div", "MatMul", "Neg", "Sub"):
            assert types[node.output[0]] == TensorProto.FLOAT, node.name
        if node.op_type in ("Conv", "ConvTranspose", "Gelu", "Sigmoid"):
            assert types[node.output[0]] == TensorProto.FLOAT16, node.name
    sizes = [(exported(papers, **o) / "light_field.onnx").stat().st_size for o in ({}, {"precision": "fp16"})]
    assert sizes[1] / sizes[0] == pytest.approx(0.5, abs=0.03)


def test_fp32_has_no_half_in_it(model):
    assert TensorProto.FLOAT16 not in element_types(model).values()


def test_the_same_student_gives_the_same_bytes(papers, exporter, exported, tmp_path, monkeypatch):
    monkeypatch.setattr("nfcore.exports.torch_onnx._graphs", Conversions())  # converted again
    exporter().export(papers, tmp_path)
    assert (tmp_path / "light_field.onnx").read_bytes() == (exported(papers) / "light_field.onnx").read_bytes()


def test_it_tells_nothing_about_the_machine_that_made_it(papers, exported):
    data = (exported(papers) / "light_field.onnx").read_bytes()
    for trace in (b"stack_trace", b"site-packages", b"File ", str(Path(nfcore.__file__).parent).encode()):
        assert trace not in data


def test_exporting_leaves_the_student_as_it_was(exporter, tmp_path):
    student = points_student(upsampler="pixel-shuffle").train()
    student.cameras = student.cameras[0]  # and one camera is enough
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    exporter(precision="fp16").export(student, tmp_path)
    assert student.training
    assert all(p.requires_grad for p in student.parameters())
    after = student.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


class Undecided(RayEncoding):
    """Breaks the contract: what it computes depends on the data."""

    def __init__(self, channels):
        super().__init__(nfcore.Options(), Scene(near=1, far=2, box=((0, 0, 0), (1, 1, 1))))
        self.channels = channels

    def forward(self, origins, directions):
        chosen = origins if origins.sum() > 0 else directions
        return chosen.repeat(1, self.channels // 3, 1, 1)


def test_what_onnx_cannot_express_is_one_line_and_nothing_is_printed(exporter, tmp_path, capfd, caplog):
    student = points_student()
    student.encoding = Undecided(student.encoding.channels)
    before = [logging.getLogger(name).level for name in ("torch.onnx", "torch.fx")], list(warnings.filters)
    with pytest.raises(NfcoreError, match=r"^this student can't be expressed in ONNX: .*data-dependent") as error:
        exporter().export(student, tmp_path)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert before == (
        [logging.getLogger(name).level for name in ("torch.onnx", "torch.fx")],
        list(warnings.filters),
    )
    assert not list(tmp_path.iterdir())


def test_a_missing_file_is_named(exporter, tmp_path):
    with pytest.raises(UserError) as error:
        exporter().load(tmp_path)
    assert str(error.value) == f"{tmp_path / 'light_field.onnx'}: no such file; export the student to get it"


@pytest.mark.parametrize(
    "damage", [lambda d: b"", lambda d: d[: len(d) // 2], lambda d: b"ply\n" + d, lambda d: d[:-9]]
)
def test_a_damaged_file_is_one_line(papers, exporter, exported, tmp_path, damage):
    path = tmp_path / "light_field.onnx"
    path.write_bytes(damage((exported(papers) / "light_field.onnx").read_bytes()))
    with pytest.raises(UserError, match=r"damaged, ONNX Runtime can't load it: [A-Z]") as error:
        exporter().load(tmp_path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_another_model_is_not_a_light_field(exporter, model, tmp_path):
    other = onnx.ModelProto()
    other.CopyFrom(model)
    for node in other.graph.node:
        node.input[:] = ["camera" if name == "pose" else name for name in node.input]
    other.graph.input[0].name = "camera"
    onnx.save(other, tmp_path / "light_field.onnx")
    with pytest.raises(UserError, match="not a light field: it has camera, intrinsics, image, not pose"):
        exporter().load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "precision: Input should be 'fp32', 'fp16', 'int8' or 'w8a8', not 'int4'"),
        ({"bits": {"backbone.head.0": 4}}, "bits.backbone.head.0: Input should be 8 or 16, not 4"),
        ({"bits": {"backbone.head.0": 8}}, "bits: only with precision int8, not fp32"),
        ({"opset": 17}, "opset: Input should be greater than or equal to 18, not 17"),
        ({"opsett": 20}, "unknown option 'opsett'; did you mean 'opset'?"),
    ],
)
def test_a_wrong_option_says_what_would_be_right(exporter, options, message):
    with pytest.raises(UserError) as error:
        exporter(**options)
    assert "nfcore-onnx/onnx" in str(error.value)
    assert str(error.value).endswith(message)
