"""A wrong export can't pass: faults are planted in exported files, and the export stage refuses each of them.

The faults are those of the field: an axis that runs the other way, sine where cosine belongs, a bias that got
lost, a batch norm that was not folded in, another activation, other bounds of the rays. They are planted in the
files on disk, after the exporter has written them, so nothing but what the files compute can give them away.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import nfcore
from nfcore import Exported, Runner
from nfcore.exports.deploy import fold_norms
from nfcore.exports.manifest import Manifest
from nfcore.pipeline import ExportRejectedError, export
from nfcore.testing import tiny_student

pytestmark = pytest.mark.slow

FORMS = {
    "onnx-fp32": ("onnx", {}),
    "onnx-fp16": ("onnx", {"precision": "fp16"}),
    "coreml-fp16": ("coreml", {}),
    "openvino-fp32": ("openvino", {}),
    "snapml": ("snapml", {}),
}


@dataclass(frozen=True)
class Right:
    """What an exporter wrote before anything was planted in it."""

    exporter: nfcore.Exporter
    folder: Path
    exported: Exported


class Planted(nfcore.Exporter):
    """An exporter whose files are changed after it has written them; what it wrote is taken from ``right``."""

    def __init__(self, right: Right, plant: Callable[[Path, nfcore.LightField], None]) -> None:
        super().__init__(right.exporter.options)
        self.right = right
        self.plant = plant

    @property
    def tolerance(self) -> nfcore.Tolerance:
        return self.right.exporter.tolerance

    def export(self, student: nfcore.LightField, folder: Path) -> Exported:
        shutil.copytree(self.right.folder, folder, dirs_exist_ok=True)
        before = contents(folder)
        self.plant(folder, student)
        assert contents(folder).keys() == before.keys()
        assert contents(folder) != before, "the fault is not in the files"
        return self.right.exported

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        return self.right.exporter.load(folder, threads)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# -- planting ----------------------------------------------------------------------------------------


def replace_values(folder: Path, old: Tensor, new: Tensor) -> None:
    """Replace a tensor's bytes in whatever file has them, in the precision that it has there."""
    found = 0
    for path, content in contents(folder).items():
        changed = content
        for dtype in (np.float32, np.float16):
            before, after = (tensor.detach().numpy().astype(dtype).tobytes() for tensor in (old, new))
            found += changed.count(before)
            changed = changed.replace(before, after)
        path.write_bytes(changed)
    assert found == 1, f"the tensor is {found} times in the files"


def change_ops(folder: Path, names: dict[str, str]) -> None:
    """Replace operations by others; of ONNX and MIL names, those are used that the files have."""
    for path in folder.rglob("*.onnx"):
        onnx = pytest.importorskip("onnx")
        model = onnx.load(path)
        for node in model.graph.node:
            if node.op_type in names:
                node.op_type = names[node.op_type]
                node.domain = ""
                del node.attribute[:]  # GELU has one, which no ReLU has
        onnx.save(model, path)
    for path in folder.rglob("*.mlmodel"):
        from coremltools.proto import Model_pb2

        package = Model_pb2.Model()
        package.ParseFromString(path.read_bytes())
        for function in package.mlProgram.functions.values():
            for block in function.block_specializations.values():
                for operation in block.operations:
                    if operation.type in names:
                        operation.type = names[operation.type]
                        operation.inputs.pop("mode", None)  # GELU's
        path.write_bytes(package.SerializeToString())
    for path in folder.rglob("*.xml"):  # OpenVINO's, where each type stands with the operator set that has it
        text = re.sub(
            r'type="(\w+)" version="opset\d+"',
            lambda kind: f'type="{names[kind[1]]}" version="opset1"' if kind[1] in names else kind[0],
            path.read_text(),
        )
        path.write_text(text)


def folded(student: nfcore.LightField) -> nn.Sequential:
    """The network as the files have it."""
    return fold_norms(nn.Sequential(*copy.deepcopy([student.backbone, student.upsampler])))


def flip_an_axis(folder: Path, student: nfcore.LightField) -> None:
    """The columns of each block of pixels run from right to left."""
    weight = student.upsampler.layers[0].weight
    replace_values(folder, weight, weight.flip(-1))


def swap_sine_and_cosine(folder: Path, student: nfcore.LightField) -> None:
    change_ops(folder, {"Sin": "Cos", "Cos": "Sin", "sin": "cos", "cos": "sin"})


def drop_a_bias(folder: Path, student: nfcore.LightField) -> None:
    bias = student.backbone.head[0].bias
    replace_values(folder, bias, torch.zeros_like(bias))


def leave_a_norm_out(folder: Path, student: nfcore.LightField) -> None:
    """The convolution's own weights where those belong into which the norm is folded."""
    with_norm, without = folded(student)[0].block[0], student.backbone.block[0]
    replace_values(folder, with_norm.weight, without.weight)
    replace_values(folder, with_norm.bias, without.bias)


def take_relu_for_gelu(folder: Path, student: nfcore.LightField) -> None:
    # By the names of ONNX, SnapML and MIL. OpenVINO's has x / 2 * (1 + Erf(..)), and with Sign it is ReLU.
    change_ops(folder, {"Gelu": "Relu", "GeluSnap": "Relu", "gelu": "relu", "Erf": "Sign"})


def take_another_near(folder: Path, student: nfcore.LightField) -> None:
    near, far = student.scene.near, student.scene.far
    depths = student.encoding.depths.flatten()
    replace_values(folder, depths, torch.linspace(near * 0.9, far, len(depths)))


def take_another_far(folder: Path, student: nfcore.LightField) -> None:
    near, far = student.scene.near, student.scene.far
    depths = student.encoding.depths.flatten()
    replace_values(folder, depths, torch.linspace(near, far * 1.1, len(depths)))


FAULTS = [
    flip_an_axis,
    swap_sine_and_cosine,
    drop_a_bias,
    leave_a_norm_out,
    take_relu_for_gelu,
    take_another_near,
    take_another_far,
]


# -- what becomes of it ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def student() -> nfcore.LightField:
    torch.manual_seed(0)
    return tiny_student()


@pytest.fixture(scope="module", params=FORMS)
def right(request, student, tmp_path_factory) -> Right:
    name, options = FORMS[request.param]
    if name not in {component.name for _, component in nfcore.plugins().components("exporter")}:
        pytest.skip(f"the exporter {name} is not installed")
    exporter, folder = nfcore.plugins().build("exporter", name, options), tmp_path_factory.mktemp("right")
    return Right(exporter, folder, exporter.export(student, folder))


@pytest.mark.parametrize("plant", FAULTS)
def test_a_planted_fault_is_refused_and_its_files_are_kept_apart(plant, right, student, tmp_path):
    folder = tmp_path / "exports" / "wrong"
    with pytest.raises(ExportRejectedError, match="differs from torch"):
        export(student, Planted(right, plant), folder)
    assert not folder.exists()
    rejected = folder.parent / "rejected" / "wrong"
    manifest = Manifest.read(rejected)
    manifest.check_contents(rejected)
    assert manifest.rejected is not None
    assert manifest.parity is not None
    # 10 dB below the floor of fp16: far off, as a wrong file is, and no matter of a tight floor.
    assert manifest.parity.least_psnr < 60


def test_the_same_file_passes_where_nothing_but_a_comment_is_changed(right, student, tmp_path):
    """So it is the fault, and not the planting, that is refused."""

    def rename(folder: Path, student: nfcore.LightField) -> None:
        for path in (*folder.rglob("*.onnx"), *folder.rglob("*.mlmodel")):
            path.write_bytes(path.read_bytes().replace(b"scene units", b"SCENE UNITS").replace(b"looks", b"LOOKS"))
        for path in folder.rglob("*.xml"):
            path.write_text(path.read_text() + "<!-- nothing -->")

    manifest = export(student, Planted(right, rename), tmp_path / "right")
    assert manifest.rejected is None
