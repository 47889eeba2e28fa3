"""What the tests of the exporter share: small students with contrast, and one export of each."""

from __future__ import annotations

import pytest
from uneven_students import guided_student, points_student

import nfcore


@pytest.fixture(scope="session")
def papers():
    return points_student(backbone={"depth": 4, "width": 32}, upsampler="transposed-conv")


@pytest.fixture(scope="session")
def guided():
    return guided_student(backbone={"activation": "relu"})


@pytest.fixture(scope="session", params=["papers", "guided"])
def student(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def exporter():
    return nfcore.plugins().build("exporter", "executorch", {})


@pytest.fixture(scope="session")
def exported(exporter, tmp_path_factory):
    """Export a student once, whoever asks: the folder, and what the exporter says of it."""
    made = {}

    def export(student):
        if id(student) not in made:
            folder = tmp_path_factory.mktemp("export")
            made[id(student)] = folder, exporter.export(student, folder)
        return made[id(student)]

    return export
