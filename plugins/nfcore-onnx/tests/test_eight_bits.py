"""Eight bits: weights that are widened when a file is loaded, and networks that compute in them."""

from __future__ import annotations

import onnx
import pytest
import torch
from onnx import TensorProto, numpy_helper
from uneven_students import points_student

from nfcore import Tolerance, UserError
from nfcore.evaluation.metrics import psnr
from nfcore_onnx.activations import novel_cameras
from nfcore_onnx.weights import rounded

pytestmark = pytest.mark.slow


def model_of(folder, file="light_field.onnx"):
    return onnx.load(folder / file)


def least_psnr(student, folder, exporter):
    image = exporter().load(folder).render(student.cameras.poses, student.cameras.intrinsics)
    error = image - student.render(student.cameras)
    return float(-10 * error.square().mean((1, 2, 3)).log10().max())


def weights(model, ending):
    return [tensor for tensor in model.graph.initializer if tensor.name.endswith(ending)]


def test_int8_weights_reach_their_floor_in_every_kind_of_student(student, exporter, exported):
    assert exporter(precision="int8").tolerance == Tolerance(psnr=50)
    assert least_psnr(student, exported(student, precision="int8"), exporter) >= 50


def test_layers_in_int8_take_a_quarter_of_the_bytes(exporter, exported, tmp_path):
    student = points_student(backbone={"width": 128})
    names = ["backbone.head.0", *(f"backbone.body.{i}.branch.{j}" for i in (0, 1) for j in (0, 3))]
    exporter(precision="int8", bits=dict.fromkeys([*names, "upsampler.to_pixels"], 8)).export(student, tmp_path)
    wide, narrow = ((folder / "light_field.onnx").stat().st_size for folder in (exported(student), tmp_path))
    assert narrow < 0.3 * wide


def test_only_weights_are_integers_and_all_arithmetic_is_fp32(papers, exported):
    model = model_of(exported(papers, precision="int8"))
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    integers = weights(model, ".int8")
    assert len(integers) >= 5
    assert {tensor.data_type for tensor in integers} == {TensorProto.INT8}
    types = {value.name: value.type.tensor_type.elem_type for value in (*graph.value_info, *graph.output)}
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "Gelu", "Sigmoid", "Sin", "Div"):
            assert types[node.output[0]] == TensorProto.FLOAT, node.name
    assert {tensor.data_type for tensor in weights(model, ".bias")} == {TensorProto.FLOAT}


def test_each_output_channel_has_its_own_scale(papers, exporter, tmp_path):
    names = [f"backbone.body.{i}.branch.{j}" for i in (0, 1) for j in (0, 3)]
    exporter(precision="int8", bits=dict.fromkeys([*names, "upsampler.stages.0.0"], 8)).export(papers, tmp_path)
    held = {tensor.name: numpy_helper.to_array(tensor) for tensor in model_of(tmp_path).graph.initializer}
    assert held["image.network.0.body.0.branch.0.weight.scale"].shape == (64, 1, 1, 1)
    whole, scale = (held[f"image.network.1.stages.0.0.weight.{part}"] for part in ("int8", "scale"))
    assert scale.shape == (1, whole.shape[1], 1, 1), "a transposed convolution has its channels on the second axis"
    assert (abs(whole).max((0, 2, 3)) == 127).all()


@pytest.mark.parametrize("form", ["single", "split"])
def test_a_layer_gets_the_bits_that_are_asked_for(papers, exporter, tmp_path, form):
    asked = {"backbone.head.0": 8, "upsampler.to_rgb.0": 16}
    exported = exporter(precision="int8", form=form, bits=asked).export(papers, tmp_path)
    model = model_of(tmp_path, "network.onnx" if form == "split" else "light_field.onnx")
    assert any(tensor.name.endswith("0.head.0.weight.int8") for tensor in model.graph.initializer)
    assert any(tensor.name.endswith("1.to_rgb.0.weight.half") for tensor in model.graph.initializer)
    assert "upsampler.to_rgb.0" in exported.report["layers and tables in fp16"]
    assert exported.precision == "int8 weights"


def test_a_layer_that_the_student_has_not_is_named(papers, exporter, tmp_path):
    with pytest.raises(
        UserError, match=r"^bits: the student has no layer 'backbone.tail'; its layers are backbone"
    ):
        exporter(precision="int8", bits={"backbone.tail": 8}).export(papers, tmp_path)


def test_a_layer_that_does_not_bear_eight_bits_keeps_sixteen(exporter, tmp_path):
    student = points_student()
    with torch.no_grad():  # one outlier per channel: a scale for it leaves nothing of the other weights
        student.backbone.head[0].weight[:, 0] *= 100
    exported = exporter(precision="int8").export(student, tmp_path)
    assert "backbone.head.0" in exported.report["layers and tables in fp16"]
    assert exported.report["layers and tables in int8"] >= 1
    assert least_psnr(student, tmp_path, exporter) >= 50


def test_eight_bits_are_off_by_half_a_step_at_most():
    weight = torch.randn(6, 5, 3, 3, generator=torch.Generator().manual_seed(0)).mul(
        torch.arange(6).reshape(-1, 1, 1, 1)
    )
    step = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    assert ((rounded(weight, 8) - weight).abs() <= step / 2 * (1 + 1e-5)).all()
    assert torch.equal(rounded(weight, 16), weight.half().float())


def test_the_tables_of_a_guided_student_are_rounded_too(guided, exporter, exported, tmp_path):
    sizes = {}
    for opset in (20, 18):
        folder = tmp_path / str(opset)
        folder.mkdir()
        exporter(precision="int8", opset=opset).export(guided, folder)
        held = {tensor.name: tensor for tensor in model_of(folder).graph.initializer}
        assert any(
            name.startswith("rays.encoding.features.") and name.endswith((".int8", ".half")) for name in held
        )
        assert least_psnr(guided, folder, exporter) >= 50
        sizes[opset] = sum(file.stat().st_size for file in folder.iterdir())
    assert sizes[20] < 0.55 * (exported(guided) / "light_field.onnx").stat().st_size


def test_w8a8_computes_in_eight_bits_and_says_what_it_loses(papers, exporter, tmp_path):
    exported = exporter(precision="w8a8").export(papers, tmp_path)
    nodes = [node.op_type for node in model_of(tmp_path).graph.node]
    assert nodes.count("QuantizeLinear") > 5
    assert exported.precision == "W8A8"
    assert exported.report["layers in 8 bits"] == nodes.count("Conv") + nodes.count("ConvTranspose") - 2
    said = exported.report["least PSNR against torch at other novel poses, dB"]
    assert 25 < said < 60
    cameras = novel_cameras(papers, 4, seed=1)
    images = exporter().load(tmp_path).render(cameras.poses, cameras.intrinsics)
    assert float(psnr(images, papers.render(cameras)).min()) == pytest.approx(said, abs=0.01)
    assert exporter(precision="w8a8").tolerance == Tolerance(psnr=30)


def test_w8a8_of_a_split_student_quantises_the_network_alone(papers, exporter, tmp_path):
    exporter(precision="w8a8", form="split").export(papers, tmp_path)
    assert "QuantizeLinear" not in {node.op_type for node in model_of(tmp_path, "rays.onnx").graph.node}
    assert "QuantizeLinear" in {node.op_type for node in model_of(tmp_path, "network.onnx").graph.node}
    assert least_psnr(papers, tmp_path, exporter) > 25


@pytest.mark.parametrize("precision", ["int8", "w8a8"])
def test_the_same_student_gives_the_same_bytes_in_eight_bits(papers, exporter, exported, tmp_path, precision):
    exporter(precision=precision).export(papers, tmp_path)
    folders = exported(papers, precision=precision), tmp_path
    contents = [(folder / "light_field.onnx").read_bytes() for folder in folders]
    assert contents[0] == contents[1]
    assert b"ort.quant" not in contents[0]


def test_what_differs_in_size_is_offered_to_choose_from(exporter):
    variants = type(exporter()).variants()
    assert [variant["precision"] for variant in variants] == ["fp32", "fp16", "int8"]
    assert type(exporter()).bits == (8, 16)
