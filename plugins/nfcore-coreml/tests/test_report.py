"""The static report: it counts what the package holds, and names what may not run on the Neural Engine."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import nfcore
from nfcore.cli import app
from nfcore_coreml.conversion import Description, convert
from nfcore_coreml.evaluator import Package
from nfcore_coreml.evaluator.constants import CONSTANTS
from nfcore_coreml.exporter import CoreML
from nfcore_coreml.forms import PACKAGE
from nfcore_coreml.neural_engine import RULES
from nfcore_coreml.report import report
from nfcore_coreml.toolchain import coremltools, quiet

pytestmark = pytest.mark.slow

with quiet():
    from coremltools.converters.mil import Builder as mb  # noqa: N813 - its name everywhere in coremltools
    from coremltools.converters.mil.mil import types

ios16 = coremltools.target.iOS16


@pytest.fixture
def package(plain_student, exported) -> Package:
    return Package.read(exported(plain_student) / PACKAGE)


def findings(found: dict) -> dict[str, dict[str, int]]:
    return {finding["what"]: finding["ops"] for finding in found["neural_engine"]}


def of_module(module: nn.Module, shape: tuple[int, ...], folder) -> dict:
    """Return the report on an fp16 module."""
    described = Description("a part", {"input": "in"}, {"output": "out"})
    example = {"input": torch.zeros(shape).half()}
    convert(module.half().eval(), example, folder / "it.mlpackage", target="iOS16", description=described)
    return report(Package.read(folder / "it.mlpackage"))


def test_every_op_is_counted_once_with_the_type_of_its_result(package):
    counted = {(row["op"], row["result"]): row["count"] for row in report(package)["ops"]}
    running = [op for op in package.block.operations if op.type != "const" and op.type not in CONSTANTS]
    assert sum(counted.values()) == len(running)
    assert counted["conv", "fp16"] == 6
    assert counted["conv_transpose", "fp16"] == 2
    assert counted["sin", "fp32"] == counted["cos", "fp32"] == 1


def test_the_sizes_are_those_of_the_files(package):
    found = report(package)
    files = {file.name: file.stat().st_size for file in package.path.rglob("*") if file.is_file()}
    assert found["bytes"] == {"program": files["model.mlmodel"], "weights": files["weight.bin"]}
    weights = sum(row["bytes"] for row in found["weights"])
    assert 0.8 * files["weight.bin"] < weights < files["weight.bin"] + files["model.mlmodel"]


def test_all_weights_of_the_student_are_there(package, plain_student):
    fp16 = next(row for row in report(package)["weights"] if row["kind"] == "fp16")
    network = nfcore.DeployedLightField(plain_student).image
    assert fp16["values"] == sum(p.numel() for p in network.parameters() if p.numel() > 16)


def test_fp32_ops_are_said_to_run_elsewhere_and_nothing_else_of_a_student(package):
    assert findings(report(package)).keys() == {"ops whose results are fp32"}
    assert findings(report(package))["ops whose results are fp32"]["sin"] == 1


def test_a_split_student_has_a_half_for_the_neural_engine(plain_student, tmp_path):
    said = CoreML(CoreML.Options(form="split")).export(plain_student, tmp_path)
    network = said.report["network.mlpackage"]
    assert findings(network) == {"ops whose results are fp32": {"cast": 1}}


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(40, 8)

    def forward(self, input):
        return self.table((input * 10).int()) + input[..., None]


class Sampled(nn.Module):
    def forward(self, input):
        image = input.float()  # coremltools 9.0 fails on fp16
        return nn.functional.grid_sample(image, image[:, :2].permute(0, 2, 3, 1), align_corners=True)


@pytest.mark.parametrize(
    ("module", "what", "op"),
    [
        (nn.Conv2d(8, 8, 3, dilation=2), "dilated convolutions", "conv"),
        (
            nn.ConvTranspose2d(8, 4, 16, 16),
            "transposed convolutions with a stride of 16 or more",
            "conv_transpose",
        ),
        (Table(), "gathers from tables", "gather"),
        (Sampled(), "resample (grid_sample)", "resample"),
    ],
    ids=["dilated", "stride", "gather", "resample"],
)
def test_what_is_known_to_leave_the_neural_engine_is_found(module, what, op, tmp_path):
    found = findings(of_module(module, (1, 8, 6, 6), tmp_path))
    assert found[what] == {op: 1}


@pytest.mark.parametrize("module", [nn.Conv2d(8, 8, 3), nn.ConvTranspose2d(8, 4, 4, 2, 1)])
def test_plain_convolutions_in_fp16_are_not_suspected(module, tmp_path):
    assert findings(of_module(module, (1, 8, 6, 6), tmp_path)) == {}


def test_a_transposed_convolution_that_is_cropped_unevenly_is_found(tmp_path):
    # Other converters write this; coremltools makes a crop of its own of torch's output padding.
    weight = np.ones((8, 4, 3, 3), np.float16)
    with quiet():

        @mb.program(input_specs=[mb.TensorSpec(shape=(1, 8, 6, 6), dtype=types.fp16)], opset_version=ios16)
        def program(x):
            return mb.conv_transpose(
                x=x,
                weight=weight,
                strides=[2, 2],
                pad=[1, 1, 1, 1],
                pad_type="custom",
                output_shape=[1, 4, 12, 12],
            )

        coremltools.convert(
            program,
            convert_to="mlprogram",
            minimum_deployment_target=ios16,
            skip_model_load=True,
            package_dir=str(tmp_path / "it.mlpackage"),
        )
    found = findings(report(Package.read(tmp_path / "it.mlpackage")))
    assert found == {"transposed convolutions cropped unevenly (output padding)": {"conv_transpose": 1}}


def test_every_rule_says_who_says_so_and_what_core_ml_does():
    for rule in RULES:
        assert rule.then
        assert all(source.startswith("https://") for source in rule.sources)
        assert rule.sources


def test_flexible_inputs_are_named_and_what_becomes_flexible_with_them(box_student, tmp_path):
    said = CoreML(CoreML.Options(form="rays", ray_counts=(2, 40))).export(box_student, tmp_path)
    found = said.report["light_field_of_rays.mlpackage"]
    assert found["flexible_shapes"] == ["origins", "directions"]
    assert findings(found)["ops of a flexible shape"]["conv"] == 6
    assert "gathers from tables" not in findings(found)  # it gathers sizes


def test_the_report_is_json_and_says_that_no_device_was_used(package):
    assert "no iPhone" in json.loads(json.dumps(report(package)))["limits"]


def test_the_command_shows_all_packages_of_a_folder(plain_student, tmp_path):
    CoreML(CoreML.Options(form="split", precision="palette-6")).export(plain_student, tmp_path)
    shown = CliRunner().invoke(app, ["coreml", str(tmp_path)], env={"COLUMNS": "250"})
    assert shown.exit_code == 0
    for text in ("network.mlpackage: iOS 16", "rays.mlpackage", "6-bit palettes", "typed-execution", "no iPhone"):
        assert text in shown.stdout
    read = CliRunner().invoke(app, ["coreml", str(tmp_path / "network.mlpackage"), "--json"])
    assert json.loads(read.stdout).keys() == {"network.mlpackage"}


def test_a_folder_without_packages_is_refused(tmp_path):
    refused = CliRunner().invoke(app, ["coreml", str(tmp_path)])
    assert isinstance(refused.exception, nfcore.UserError)
    assert "no Core ML package" in str(refused.exception)
