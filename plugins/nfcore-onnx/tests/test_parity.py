"""What ONNX Runtime computes from the file, against torch."""

from __future__ import annotations

import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from nfcore import Tolerance

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("batch", [1, 3])
def test_each_pose_gives_torchs_image_in_any_batch(student, exporter, exported, precision, batch):
    runner = exporter(precision=precision).load(exported(student, precision=precision))
    expected = student.render(student.cameras)
    for start in range(0, len(student.cameras) - batch + 1, batch):
        views = slice(start, start + batch)
        image = runner.render(student.cameras.poses[views], student.cameras.intrinsics[views])
        error = image - expected[views]
        assert image.shape == expected[views].shape
        assert image.dtype == torch.float32
        if precision == "fp32":
            assert error.abs().max() <= 1e-4
        else:
            assert -10 * error.square().mean().log10() >= 70


def test_the_floors_are_what_rounding_leaves(exporter):
    assert exporter().tolerance == Tolerance(psnr=100, typical_error=1e-4)
    assert exporter(precision="fp16").tolerance == Tolerance(psnr=70)


def test_it_is_verified_by_onnx_runtime(student, exporter, exported):
    assert exporter().load(exported(student)).verified_by == f"ONNX Runtime {onnxruntime.__version__} (CPU)"


def test_the_image_follows_the_intrinsics(papers, exporter, exported):
    narrow = papers.cameras.intrinsics * torch.tensor([1.5, 1.5, 1, 1])
    image = exporter().load(exported(papers)).render(papers.cameras.poses, narrow)
    assert (image - papers.render(papers.cameras)).abs().max() > 0.05


def test_opset_18_where_gelu_is_many_nodes_meets_the_floor_too(papers, exported, misses_floor):
    assert not misses_floor(papers, exported(papers, opset=18), opset=18)


@pytest.mark.parametrize("opset", [20, 18])  # with samples of a volume in one node, and in many
def test_a_student_with_tables_meets_the_floor(guided, exported, misses_floor, opset):
    assert not misses_floor(guided, exported(guided, opset=opset), opset=opset)


def swap_sin_and_cos(model):
    for node in model.graph.node:
        node.op_type = {"Sin": "Cos", "Cos": "Sin"}.get(node.op_type, node.op_type)


def replace_gelu_by_relu(model):
    for node in model.graph.node:
        if node.op_type == "Gelu":
            node.op_type = "Relu"
            del node.attribute[:]


def drop_the_last_bias(model):
    last = [node for node in model.graph.node if node.op_type == "Conv"][-1]
    del last.input[2]


def round_weights_to_eight_bits(model):
    for tensor in model.graph.initializer:
        if tensor.name.endswith("weight"):
            weight = numpy_helper.to_array(tensor)
            step = abs(weight).max() / 127
            rounded = (weight / step).round() * step
            tensor.CopyFrom(numpy_helper.from_array(rounded.astype(weight.dtype), tensor.name))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize(
    "damage", [swap_sin_and_cos, replace_gelu_by_relu, drop_the_last_bias, round_weights_to_eight_bits]
)
def test_a_wrong_file_misses_the_floor(papers, exported, misses_floor, tmp_path, precision, damage):
    folder = exported(papers, precision=precision)
    assert not misses_floor(papers, folder, precision=precision)
    model = onnx.load(folder / "light_field.onnx")
    damage(model)
    onnx.save(model, tmp_path / "light_field.onnx")
    assert misses_floor(papers, tmp_path, precision=precision)
