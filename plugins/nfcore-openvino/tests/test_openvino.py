"""What OpenVINO computes from the files, against torch, and what lies in the files."""

from __future__ import annotations

import shutil

import numpy as np
import openvino
import pytest
import torch
from openvino import opset13
from uneven_students import points_student

import nfcore
from nfcore import Tolerance, UserError
from nfcore_openvino.weights import round_to_int8

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def student():
    """Linear layers and both kinds of convolutions: all that has weights."""
    return points_student(backbone={"width": 32, "layer": "linear"}, upsampler="transposed-conv")


@pytest.fixture(scope="module")
def exporter():
    return lambda **options: nfcore.plugins().build("exporter", "nfcore-openvino/openvino", options)


@pytest.fixture(scope="module")
def exported(student, exporter, tmp_path_factory):
    """Export the student once for each set of options."""
    folders = {}

    def export(**options):
        chosen = exporter(**options)
        key = chosen.options.model_dump_json()
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("export")
            chosen.export(student, folders[key])
        return folders[key]

    return export


def error(student, exporter, folder, **options):
    cameras = student.cameras
    image = exporter(**options).load(folder, 1).render(cameras.poses, cameras.intrinsics)
    return image - student.render(cameras)


def psnr(error) -> float:
    return float(-10 * error.square().mean().log10())


@pytest.mark.parametrize(
    ("options", "least"),
    [
        ({}, 110),
        ({"precision": "fp16"}, 70),
        ({"precision": "int8"}, 40),  # of random weights; trained ones have the floor's 50
        ({"inference": "bf16"}, 40),
        ({"inference": "bf16", "precision": "int8"}, 40),
    ],
)
def test_it_gives_torchs_images(student, exporter, exported, options, least):
    assert psnr(error(student, exporter, exported(**options), **options)) >= least


def test_the_floors_are_those_of_the_precisions(exporter):
    assert exporter().tolerance == Tolerance(psnr=90, max_error=2e-3)
    assert exporter(precision="fp16").tolerance == Tolerance(psnr=70)
    assert exporter(precision="int8").tolerance == Tolerance(psnr=50)
    assert exporter(inference="bf16").tolerance == Tolerance(psnr=35)


def test_variants_become_smaller_and_are_options(exporter, exported):
    variants = type(exporter()).variants()
    sizes = [(exported(**variant) / "light_field.bin").stat().st_size for variant in variants]
    assert [variant["precision"] for variant in variants] == ["fp32", "fp16", "int8"]
    assert sizes[1] / sizes[0] == pytest.approx(0.5, abs=0.03)
    assert sizes[2] / sizes[0] == pytest.approx(0.3, abs=0.04)


def test_the_batch_is_free_and_names_are_those_of_the_canonical_module(student, exported):
    model = openvino.Core().read_model(exported() / "light_field.xml")
    shapes = {port.any_name: str(port.partial_shape) for port in (*model.inputs, *model.outputs)}
    assert shapes == {"pose": "[?,3,4]", "intrinsics": "[?,4]", "image": "[?,3,20,28]"}


def test_it_computes_in_fp32_though_this_is_not_openvinos_default(student, exporter, exported):
    """By default bfloat16, on processors that have it, and rays in it."""
    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16 arithmetic")
    cameras = student.cameras
    plain = core.compile_model(exported() / "light_field.xml", "CPU")
    image = plain({"pose": cameras.poses.numpy(), "intrinsics": cameras.intrinsics.numpy()})[0]
    assert abs(torch.from_numpy(image) - student.render(cameras)).max() > 1e-4
    assert error(student, exporter, exported()).abs().max() <= 1e-4


def test_with_bfloat16_rays_are_a_model_of_their_own_in_fp32(student, exporter, exported):
    folder = exported(inference="bf16")
    assert {path.name for path in folder.iterdir()} == {"rays.xml", "rays.bin", "network.xml", "network.bin"}
    runner = exporter(inference="bf16").load(folder)
    assert runner.verified_by == f"OpenVINO {openvino.__version__.partition('-')[0]} (CPU, bf16)"


def test_the_same_student_gives_the_same_files_that_tell_nothing_of_the_machine(
    student, exporter, exported, tmp_path
):
    exporter().export(student, tmp_path)
    for name in ("light_field.xml", "light_field.bin"):
        data = (tmp_path / name).read_bytes()
        assert data == (exported() / name).read_bytes()
        assert b"site-packages" not in data
        assert str(tmp_path).encode() not in data


# -- weights of eight bits ------------------------------------------------------------------------------------


def layer_of(kind, weights):
    """A model of one layer with the given weights."""
    if kind == "linear":
        data = opset13.parameter([1, weights.shape[1]], np.float32, "x")
        layer = opset13.matmul(data, opset13.constant(weights), False, True)
    elif kind == "conv":
        data = opset13.parameter([1, weights.shape[1], 5, 5], np.float32, "x")
        layer = opset13.convolution(data, opset13.constant(weights), [1, 1], [0, 0], [0, 0], [1, 1])
    else:
        data = opset13.parameter([1, weights.shape[0], 5, 5], np.float32, "x")
        layer = opset13.convolution_backprop_data(data, opset13.constant(weights), [2, 2])
    return openvino.Model([layer], [data], "layer"), layer


@pytest.mark.parametrize(
    ("kind", "shape", "axis"),
    [("linear", (6, 40), 0), ("conv", (6, 40, 3, 3), 0), ("transposed", (40, 6, 3, 3), 1)],
)
def test_each_output_channel_has_its_own_scale(kind, shape, axis):
    """No weight is off by more than half a step of its own channel, though channels differ a thousandfold."""
    generator = np.random.default_rng(0)
    along = [1] * len(shape)
    along[axis] = 6
    sizes = 10.0 ** np.linspace(-2, 1, 6).reshape(along)
    weights = (generator.standard_normal(shape) * sizes).astype(np.float32)
    model, layer = layer_of(kind, weights)
    assert round_to_int8(model) == 1
    unfolded = layer.input_value(1).get_node()
    whole = unfolded.input_value(0).get_node().input_value(0).get_node().data
    scales = unfolded.input_value(1).get_node().data
    assert whole.dtype == np.int8
    assert scales.size == 6
    others = tuple(other for other in range(len(shape)) if other != axis)
    steps = np.abs(weights).max(others, keepdims=True) / 127
    assert (np.abs(whole * scales - weights) <= 0.5001 * steps).all()


def test_first_layers_may_be_kept():
    model, layer = layer_of("linear", np.ones((2, 3), np.float32))
    assert round_to_int8(model, kept=1) == 0
    assert layer.input_value(1).get_node().get_type_name() == "Constant"


def test_a_channel_of_zeros_stays_zero():
    weights = np.zeros((2, 3), np.float32)
    weights[1] = [1, -2, 3]
    model, _ = layer_of("linear", weights)
    round_to_int8(model)
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    result = compiled(np.ones((1, 3), np.float32))[0]
    assert np.isfinite(result).all()
    assert result[0] == pytest.approx([0, 2], abs=0.03)


# -- wrong files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
@pytest.mark.parametrize("damage", [lambda d: b"", lambda d: d[: len(d) // 2]])
def test_a_damaged_file_is_one_line(student, exporter, exported, tmp_path, suffix, damage):
    shutil.copytree(exported(), tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"light_field{suffix}"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"damaged, OpenVINO can't load it: .") as refused:
        exporter().load(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("suffix", [".xml", ".bin"])
def test_a_missing_file_is_named(exporter, exported, tmp_path, suffix):
    shutil.copytree(exported(), tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"light_field{suffix}"
    path.unlink()
    with pytest.raises(UserError) as refused:
        exporter().load(tmp_path)
    assert str(refused.value) == f"{path}: no such file; export the student to get it"


def test_another_model_is_not_a_light_field(exporter, tmp_path):
    model, _ = layer_of("linear", np.ones((2, 3), np.float32))
    model.inputs[0].set_names({"x"})
    model.outputs[0].set_names({"y"})
    openvino.save_model(model, tmp_path / "light_field.xml")
    with pytest.raises(UserError, match="not a light field: it has x, y, not pose, intrinsics, image"):
        exporter().load(tmp_path)


def test_weights_of_another_student_miss_the_floor(student, exporter, exported, tmp_path):
    """Two files of one export belong together; of the same form, others are loaded without a word."""
    shutil.copytree(exported(), tmp_path, dirs_exist_ok=True)
    path = tmp_path / "light_field.bin"
    weights = np.frombuffer(path.read_bytes(), np.float32).copy()
    weights[len(weights) // 2] += 1
    path.write_bytes(weights.tobytes())
    assert psnr(error(student, exporter, tmp_path)) < 90
