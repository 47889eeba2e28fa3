"""The exported spheres, and a real Chromium."""

from __future__ import annotations

from pathlib import Path

import fitted
import pytest
from browser import chromium, opened, shown  # noqa: F401 - fixtures

from nfcore_mobilenerf.official_exporter import OfficialFiles
from nfcore_mobilenerf.page_exporter import PolygonPage


@pytest.fixture(scope="session")
def page_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exported page."""
    folder = tmp_path_factory.mktemp("page")
    PolygonPage(PolygonPage.Options(title="Two spheres")).export(fitted.model(), folder)
    return folder


@pytest.fixture
def official_folder(tmp_path: Path) -> Path:
    """The folder of exported official files."""
    folder = tmp_path / "official"
    folder.mkdir()
    OfficialFiles(OfficialFiles.Options()).export(fitted.model(), folder)
    return folder
