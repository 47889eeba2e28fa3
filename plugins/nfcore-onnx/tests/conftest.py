"""What the tests of the exporter share: small students with contrast, and how far an export is from torch."""

from __future__ import annotations

import pytest
from uneven_students import guided_student, points_student

import nfcore
from nfcore.exports.parity import compare, shortfall
from nfcore.pipeline import Reference

VARIANTS = {
    "paper": {"upsampler": "transposed-conv"},
    "box-linear-x3": {"encoding": {"span": "box"}, "backbone": {"layer": "linear"}, "scale": 3},
    "forward-facing": {"backbone": {"norm": "none", "activation": "relu"}, "scene": "forward-facing"},
}


@pytest.fixture(scope="session")
def students():
    return {name: points_student(**options) for name, options in VARIANTS.items()}


@pytest.fixture(scope="session", params=VARIANTS)
def student(request, students):
    return students[request.param]


@pytest.fixture(scope="session")
def papers(students):
    return students["paper"]


@pytest.fixture(scope="session")
def guided():
    return guided_student()


@pytest.fixture(scope="session")
def exporter():
    return lambda **options: nfcore.plugins().build("exporter", "onnx", options)


@pytest.fixture(scope="session")
def exported(exporter, tmp_path_factory):
    """Export a student once, whoever asks for it."""
    folders = {}

    def export(student, **options):
        chosen = exporter(**options)
        key = (id(student), chosen.options.model_dump_json())
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("export")
            chosen.export(student, folders[key])
        return folders[key]

    return export


@pytest.fixture(scope="session")
def misses_floor(exporter):
    """Say whether the file in a folder misses the parity floor against torch, from all cameras of the student."""

    def misses(student, folder, **options) -> bool:
        chosen = exporter(**options)
        parity = compare(Reference(student), chosen.load(folder)).parity
        return shortfall(parity, chosen.tolerance) is not None

    return misses
