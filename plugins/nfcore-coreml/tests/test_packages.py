"""Damaged packages, and programs beyond the evaluator, are refused in one line that says what is wrong."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from coremltools.libmilstoragepython import _BlobStorageWriter as BlobStorageWriter

import nfcore
from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.evaluator.values import ELEMENTS, unpack
from nfcore_coreml.evaluator.weights import BlobStorage
from nfcore_coreml.exporter import CoreML
from nfcore_coreml.forms import PACKAGE
from nfcore_coreml.toolchain import MIL_pb2

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(box_student, exported, tmp_path) -> Path:
    """A folder with a package that may be damaged."""
    return shutil.copytree(exported(box_student), tmp_path / "copy")


def refusal(folder: Path) -> str:
    """Return the one line with which loading is refused."""
    with pytest.raises(nfcore.UserError) as caught:
        CoreML(CoreML.Options()).load(folder)
    assert "\n" not in str(caught.value)
    assert PACKAGE in str(caught.value)
    return str(caught.value)


def weights(folder: Path) -> Path:
    return folder / PACKAGE / "Data/com.apple.CoreML/weights/weight.bin"


def model(folder: Path) -> Path:
    return folder / PACKAGE / "Data/com.apple.CoreML/model.mlmodel"


def edited(folder: Path, edit) -> None:
    package = Package.read(folder / PACKAGE)
    edit(package)
    package.model_file.write_bytes(package.model.SerializeToString())


def test_a_missing_manifest_is_refused(copy):
    (copy / PACKAGE / "Manifest.json").unlink()
    assert "Manifest.json is missing" in refusal(copy)


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"rootModelIdentifier": "a", "itemInfoEntries": {}}'])
def test_a_manifest_without_a_root_model_is_refused(copy, text):
    (copy / PACKAGE / "Manifest.json").write_text(text)
    assert "names no root model" in refusal(copy)


def test_a_manifest_that_leads_out_of_the_package_is_refused(copy):
    file = copy / PACKAGE / "Manifest.json"
    manifest = json.loads(file.read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = "../../elsewhere.mlmodel"
    file.write_text(json.dumps(manifest))
    assert "outside the package" in refusal(copy)


def test_a_missing_model_file_is_refused(copy):
    model(copy).unlink()
    assert "model.mlmodel" in refusal(copy)


def test_a_model_file_that_is_no_protobuf_is_refused(copy):
    model(copy).write_bytes(b"\xff" * 100)
    assert "model.mlmodel" in refusal(copy)


def test_a_model_file_cut_short_is_refused(copy):
    model(copy).write_bytes(model(copy).read_bytes()[:-100])
    assert "model.mlmodel" in refusal(copy)


def test_a_model_that_is_no_ml_program_is_refused(copy):
    edited(copy, lambda package: package.model.identity.SetInParent())
    assert "not an ML Program: its model.mlmodel holds identity" in refusal(copy)


def test_a_program_without_a_main_function_is_refused(copy):
    edited(copy, lambda package: package.model.mlProgram.functions.pop("main"))
    assert "no function 'main'" in refusal(copy)


def test_missing_weights_are_refused(copy):
    weights(copy).unlink()
    assert "weights/weight.bin: it is missing" in refusal(copy)


@pytest.mark.parametrize("kept", [0, 63, 100, -64])
def test_weights_cut_short_are_refused(copy, kept):
    weights(copy).write_bytes(weights(copy).read_bytes()[:kept])
    assert "weight.bin: it " in refusal(copy)


def test_weights_of_another_storage_version_are_refused(copy):
    data = bytearray(weights(copy).read_bytes())
    struct.pack_into("<I", data, 4, 1)
    weights(copy).write_bytes(data)
    assert "blob storage version 1" in refusal(copy)


def test_a_bad_sentinel_is_refused(copy):
    data = bytearray(weights(copy).read_bytes())
    struct.pack_into("<I", data, 64, 0xBADC0DE)
    weights(copy).write_bytes(data)
    assert "no tensor at byte 64 (0x0badc0de for 0xdeadbeef)" in refusal(copy)


def test_a_tensor_of_another_type_or_size_than_the_program_declares_is_refused(copy):
    data = bytearray(weights(copy).read_bytes())
    (size,) = struct.unpack_from("<Q", data, 72)
    struct.pack_into("<Q", data, 72, size - 2)
    weights(copy).write_bytes(data)
    assert f"has {size - 2} bytes" in refusal(copy)


def test_weights_outside_the_package_are_refused(tmp_path):
    package = tmp_path / "a.mlpackage"
    package.mkdir()
    (tmp_path / "secret").write_bytes(b"0" * 256)
    with pytest.raises(nfcore.UserError, match=r"names weights outside the package: @model_path/\.\./secret"):
        BlobStorage(package, package).read("@model_path/../secret", 64, 1, 2)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "uint8", "int16", "uint16", "int32", "uint32"])
def test_tensors_of_each_type_that_apples_writer_stores_are_read_back(dtype, tmp_path):
    names = {"float16": "write_fp16_data", "float32": "write_float_data"}
    numbers = np.array([0, 1, 2, 100, 127], dtype)
    writer = BlobStorageWriter(str(tmp_path / "weight.bin"))
    stored = numbers.view(np.uint16) if dtype == "float16" else numbers
    offset = getattr(writer, names.get(dtype, f"write_{dtype}_data"))(stored)
    del writer  # closes the file
    element = ELEMENTS[MIL_pb2.DataType.Value(dtype.upper())]
    data = BlobStorage(tmp_path, tmp_path).read("@model_path/weight.bin", offset, element.blob, numbers.nbytes)
    assert np.array_equal(unpack(data, element, 5), numbers)


def test_an_input_of_any_number_of_axes_is_refused(copy):
    def edit(package):
        shape = package.inputs[0].type.tensorType
        shape.dimensions[0].unknown.variadic = True

    edited(copy, edit)
    assert "shapes of any number of axes are not supported" in refusal(copy)


def test_an_unknown_op_is_refused_by_name_before_anything_runs(copy):
    def edit(package):
        next(op for op in package.block.operations if op.type == "sin").type = "sine_of_the_times"

    edited(copy, edit)
    assert "can't run the op 'sine_of_the_times'" in refusal(copy)


def test_an_unknown_parameter_of_a_known_op_is_refused(copy):
    def edit(package):
        sine = next(op for op in package.block.operations if op.type == "sin")
        sine.inputs["phase"].CopyFrom(sine.inputs["x"])

    edited(copy, edit)
    assert "the op 'sin'" in refusal(copy)
    assert "its parameter 'phase' is not supported" in refusal(copy)


def test_a_missing_parameter_is_refused(copy):
    edited(copy, lambda p: next(op for op in p.block.operations if op.type == "sin").inputs.pop("x"))
    assert "its parameter 'x' is missing" in refusal(copy)


def test_a_value_that_nothing_computes_is_refused_when_the_program_runs(copy, box_student):
    def edit(package):
        sine = next(op for op in package.block.operations if op.type == "sin")
        sine.inputs["x"].arguments[0].name = "nowhere"

    edited(copy, edit)
    program = Program(Package.read(copy / PACKAGE))
    with pytest.raises(nfcore.UserError, match=r"the op 'sin' .*'nowhere', which nothing computes"):
        program(pose=box_student.cameras.poses[:1], intrinsics=box_student.cameras.intrinsics[:1])


def test_a_result_of_another_shape_than_declared_is_refused_when_the_program_runs(copy, box_student):
    def edit(package):
        sine = next(op for op in package.block.operations if op.type == "sin")
        sine.outputs[0].type.tensorType.dimensions[0].constant.size = 7

    edited(copy, edit)
    program = Program(Package.read(copy / PACKAGE))
    with pytest.raises(nfcore.UserError, match=r"the op 'sin' .*the program declares float32 \[7, "):
        program(pose=box_student.cameras.poses[:1], intrinsics=box_student.cameras.intrinsics[:1])


def test_inputs_of_other_names_or_shapes_are_refused(exported, box_student):
    program = Program(Package.read(exported(box_student) / PACKAGE))
    with pytest.raises(nfcore.UserError, match="takes inputs"):
        program(pose=torch.zeros(1, 3, 4))
    with pytest.raises(nfcore.UserError, match="takes inputs"):
        program(pose=torch.zeros(2, 3, 4), intrinsics=torch.zeros(1, 4))


def test_values_are_let_go_after_their_last_use(exported, box_student):
    program = Program(Package.read(exported(box_student) / PACKAGE))
    alive = set(program.inputs)
    most = 0
    for step in program._steps:
        alive |= {name for name, _ in step.outputs}
        most = max(most, len(alive))
        alive -= step.dead
    assert alive == set(program.outputs)
    assert most < len(program._steps) / 2
