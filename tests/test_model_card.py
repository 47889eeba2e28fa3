"""The model card and the picture of an export say to people what the manifest says to programs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tiny
from PIL import Image

from nfcore.exports.card import card
from nfcore.pipeline import Reference, export


@pytest.fixture
def student():
    return tiny.student()


def test_the_card_says_how_to_call_it_what_was_measured_and_what_was_not(tmp_path, student):
    views = tiny.Ring(tiny.Ring.Options(test=8)).views("test")
    reference = Reference(student, scene="ring", photos=views)
    manifest = export(reference, tiny.copier(error=5e-7), tmp_path / "copy")
    text = (tmp_path / "copy" / "README.md").read_text()
    assert text == card(manifest)
    assert text.startswith("---\nlibrary_name: nfcore\n")
    assert "# ring: torch, fp32" in text
    assert "| in | `pose` | batch x 3 x 4 | float32 | camera to world, OpenGL axes" in text
    assert "| out | `image` | batch x 3 x 16 x 16 | float32 | RGB in \\[0, 1\\], top row first |" in text
    assert manifest.parity is not None
    assert manifest.photos is not None
    assert f"| {manifest.parity.max_error:.1e} |" in text
    assert f"| {manifest.photos.psnr:.2f} dB |" in text
    assert "Not verified" not in text
    assert manifest.contents[0].sha256[:12] in text


def test_the_card_lists_what_was_not_verified_and_what_the_exporter_found(tmp_path, student, monkeypatch):
    write = tiny.Copy.export

    def reporting(self, student, folder):
        found = {"ops": {"conv": 3, "gelu": 1}, "leave the engine": [], "dynamic": False}
        silent = ("speed on a telephone: there is none here",)
        return replace(write(self, student, folder), unverified=silent, report=found)

    monkeypatch.setattr(tiny.Copy, "export", reporting)
    manifest = export(student, tiny.copier(), tmp_path / "copy")
    text = (tmp_path / "copy" / "README.md").read_text()
    assert "- Not verified: speed on a telephone: there is none here." in text
    assert "- Not verified: PSNR against photos: there are none here." in text
    assert "- ops:\n  - conv: 3\n  - gelu: 1\n- leave the engine: none\n- dynamic: no" in text
    assert manifest.report["ops"] == {"conv": 3, "gelu": 1}


def test_the_picture_shows_torch_and_the_export_side_by_side(tmp_path, student):
    export(student, tiny.copier(error=0.25), tmp_path / "copy", required_psnr=5.0)
    picture = Image.open(tmp_path / "copy" / "picture.png")
    width, height = picture.size
    assert width == 2 * height
    halves = [picture.crop((left, 0, left + height, height)).resize((16, 16)) for left in (0, height)]
    ours, theirs = (np.asarray(half).mean() / 255 for half in halves)
    assert theirs - ours == pytest.approx(0.25, abs=0.01)
