"""Exported pages of the ball, once for each kind of scene, and a real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import bakeable
import pytest
from browser import chromium, opened, shown  # noqa: F401 - fixtures

from nfcore_webgl.exporter import WebGL


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SimpleNamespace]:
    """A model and its export, made once for each combination of options."""
    made: dict[tuple[object, ...], SimpleNamespace] = {}

    def export(kind: str = "box", values: int = bakeable.VALUES, **options: object) -> SimpleNamespace:
        key = (kind, values, *options.items())
        if key not in made:
            folder, model = tmp_path_factory.mktemp("webgl"), bakeable.model(kind, values)
            exporter = WebGL(WebGL.Options(**{"views": 8, "title": "A ball", **options}))
            described = exporter.export(model, folder)
            page = folder / "baked_field.html"
            made[key] = SimpleNamespace(
                model=model, folder=folder, exporter=exporter, exported=described, page=page
            )
        return made[key]

    return export


@pytest.fixture
def tampered(tmp_path: Path) -> Callable[[Path, Callable[[str], str]], Path]:
    """A page whose text is changed."""

    def change(page: Path, how: Callable[[str], str]) -> Path:
        path, text = tmp_path / "tampered.html", page.read_text(encoding="utf-8")
        changed = how(text)
        assert changed != text
        path.write_text(changed, encoding="utf-8")
        return path

    return change
