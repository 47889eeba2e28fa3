"""A wrong package is caught: faults planted in the saved program make its parity fall under the floor."""

import shutil
from collections.abc import Callable

import pytest

from nfcore_coreml.evaluator import Package
from nfcore_coreml.exporter import CoreML
from nfcore_coreml.forms import PACKAGE
from nfcore_coreml.toolchain import MIL_pb2

pytestmark = pytest.mark.slow


def swap_sine_and_cosine(block: MIL_pb2.Block) -> None:
    for operation in block.operations:
        operation.type = {"sin": "cos", "cos": "sin"}.get(operation.type, operation.type)


def drop_one_bias(block: MIL_pb2.Block) -> None:
    last = [operation for operation in block.operations if operation.type == "conv"][-1]
    del last.inputs["bias"]


def take_relu_for_gelu(block: MIL_pb2.Block) -> None:
    for operation in block.operations:
        if operation.type == "gelu":
            operation.type = "relu"
            operation.inputs.pop("mode", None)


def take_the_approximate_gelu(block: MIL_pb2.Block) -> None:
    for operation in block.operations:
        if operation.type == "const" and operation.attributes["val"].immediateValue.tensor.strings.values == [
            "EXACT"
        ]:
            operation.attributes["val"].immediateValue.tensor.strings.values[0] = "SIGMOID_APPROXIMATION"


@pytest.mark.parametrize(
    "plant",
    [
        swap_sine_and_cosine,
        drop_one_bias,
        take_relu_for_gelu,
        take_the_approximate_gelu,
    ],
)
def test_a_planted_fault_exceeds_the_tolerance(
    plant: Callable[[MIL_pb2.Block], None], plain_student, exported, tmp_path, psnr
):
    shutil.copytree(exported(plain_student), tmp_path, dirs_exist_ok=True)
    package = Package.read(tmp_path / PACKAGE)
    before = package.model.SerializeToString(deterministic=True)
    plant(package.block)
    assert package.model.SerializeToString(deterministic=True) != before
    package.model_file.write_bytes(package.model.SerializeToString())
    assert psnr(plain_student, tmp_path).max() < CoreML(CoreML.Options()).tolerance.psnr


def test_an_untouched_copy_stays_above_the_floor(plain_student, exported, tmp_path, psnr):
    shutil.copytree(exported(plain_student), tmp_path, dirs_exist_ok=True)
    assert psnr(plain_student, tmp_path).min() > CoreML(CoreML.Options()).tolerance.psnr
