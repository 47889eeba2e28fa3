"""Exported in every form, the guided student is the one that torch has."""

from __future__ import annotations

import pytest

import nfcore
from nfcore.pipeline.export import export

pytestmark = pytest.mark.slow

# Of a volume in one ONNX file, nfcore-onnx itself tests more (test_a_student_with_tables_meets_the_floor).
FORMS = [
    ("volume", "onnx", {"form": "split", "precision": "fp16"}),
    ("volume", "coreml", {}),
    ("volume", "coreml", {"form": "split"}),
    ("planes", "onnx", {"opset": 18}),  # they are sampled in two dimensions, which each operator set can
    ("planes", "onnx", {"form": "split", "precision": "fp16"}),
    ("planes", "coreml", {}),
    ("planes", "coreml", {"form": "split"}),
]


@pytest.mark.parametrize(("lookup", "exporter", "options"), FORMS, ids=str)
def test_an_export_reaches_its_floor(lookup, exporter, options, boxed, prepared, student, tmp_path):
    _, offered = zip(*nfcore.plugins().components("exporter"), strict=True)
    if exporter not in {component.name for component in offered}:
        pytest.skip(f"the exporter {exporter} is not installed")
    built = student(boxed, prepared(boxed, lookup=lookup, resolution=16, steps=12))
    assert built.render(built.cameras).std() > 0.03, "an image without contrast would hide a wrong export"
    manifest = export(built, nfcore.plugins().build("exporter", exporter, options), tmp_path / "export")
    assert manifest.parity is not None
    assert manifest.parity.least_psnr > 70


def test_planes_need_grid_sample_in_two_dimensions_alone(boxed, prepared, student, tmp_path):
    onnx = pytest.importorskip("onnx")
    built = student(boxed, prepared(boxed, lookup="planes", resolution=16, steps=12))
    nfcore.plugins().build("exporter", "onnx", {"opset": 18}).export(built, tmp_path)
    nodes = onnx.load(tmp_path / "light_field.onnx").graph.node
    assert sum(node.op_type == "GridSample" for node in nodes) == 3
