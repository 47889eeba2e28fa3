"""Exports of the ball, made once."""

from types import SimpleNamespace

import ball
import pytest

from nfcore_mesh.exporter import MeshExporter

OPTIONS = {"resolution": 32, "texture": 256, "triangles": 1500, "metres": 0.5, "formats": ("obj", "ply", "usdz")}


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The model, the exporter, what it says, and the folder."""
    pytest.importorskip("pxr", reason="usd-core is not installed")
    folder, model = tmp_path_factory.mktemp("mesh"), ball.model()
    exporter = MeshExporter(MeshExporter.Options(**OPTIONS))
    return SimpleNamespace(folder=folder, model=model, exporter=exporter, exported=exporter.export(model, folder))
