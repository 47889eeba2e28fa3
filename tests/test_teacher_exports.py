"""An exporter that takes the teacher goes through all that one of a student does."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import tiny
import torch
from installed import source_folder

from nfcore import FittedTeacher, UserError
from nfcore.exports.manifest import Manifest
from nfcore.interfaces.boundaries import ContractError
from nfcore.pipeline import ExportRejectedError, Reference, export, save_teacher

pytestmark = pytest.mark.slow


@pytest.fixture
def teacher() -> FittedTeacher:
    return FittedTeacher(tiny.fitted_teacher(), tiny.student().cameras)


def baker(**options: object) -> tiny.Bake:
    return tiny.Bake(tiny.Bake.Options(**options))


def test_its_files_are_compared_with_the_teacher_and_the_photos(tmp_path, teacher):
    views = tiny.Ring(tiny.Ring.Options(test=8)).views("test")
    manifest = export(Reference(teacher, photos=views), baker(), tmp_path / "sky")
    assert manifest.parity is not None
    assert manifest.parity.least_psnr > 80
    assert manifest.photos is not None
    assert manifest.photos.torch_psnr == pytest.approx(manifest.photos.psnr, abs=0.01)
    assert (manifest.model.kind, manifest.model.components) == ("teacher", {"teacher": "tiny:Sky"})
    assert manifest.model.macs is None
    assert manifest.model.parameters == 1
    assert manifest.image.pixels_per_ray == 1
    assert Manifest.read(tmp_path / "sky") == manifest


def test_its_model_card_speaks_of_the_teacher(tmp_path, teacher):
    export(teacher, baker(), tmp_path / "sky")
    text = (tmp_path / "sky" / "README.md").read_text()
    assert "| teacher | `tiny:Sky` |" in text
    assert "Left: the teacher in PyTorch" in text
    assert "student" not in text
    assert "GMAC" not in text


def test_it_is_rejected_where_it_differs_from_the_teacher(tmp_path, teacher):
    with pytest.raises(ExportRejectedError, match="differs from torch"):
        export(teacher, baker(error=0.1), tmp_path / "sky")


def test_a_model_of_the_other_kind_is_refused(tmp_path, teacher):
    for model, exporter in ((tiny.student(), baker()), (teacher, tiny.copier())):
        with pytest.raises(UserError, match=r"takes a (student|teacher), not a (student|teacher)"):
            export(model, exporter, tmp_path / "sky")
    assert not list(tmp_path.iterdir())


def test_a_fitted_teacher_renders_what_the_teacher_sees(teacher):
    images = teacher.render(teacher.cameras)
    right = tiny.sky(teacher.cameras.rays().directions) * teacher.teacher.brightness
    assert images.shape == (2, 3, 16, 16)
    assert torch.allclose(images.permute(0, 2, 3, 1), right.clamp(0, 1), atol=1e-6)


def test_a_teacher_that_cannot_be_baked_is_named_with_those_that_can(teacher):
    with pytest.raises(UserError, match=r"Sky.*can't be baked.*--scene") as caught:
        teacher.baked()
    assert "\n" not in str(caught.value)


def test_a_field_that_is_incomplete_is_refused_by_its_rule(teacher, monkeypatch):
    monkeypatch.setattr(type(teacher.teacher), "baked", lambda self: "a field")
    with pytest.raises(ContractError, match=r"Sky.*teacher\.baked.*str"):
        teacher.baked()


def test_saved_and_loaded_a_fitted_teacher_renders_the_same_at_its_own_cameras(teacher, tmp_path):
    manager = tiny.manager()
    teacher.save(tmp_path / "sky.safetensors", manager)
    loaded = FittedTeacher.load(tmp_path / "sky.safetensors", manager)
    assert torch.equal(loaded.cameras.poses, teacher.cameras.poses)
    assert torch.equal(loaded.render(loaded.cameras), teacher.render(teacher.cameras))


def test_a_teachers_file_without_cameras_is_refused_as_a_model(tmp_path):
    save_teacher(tiny.fitted_teacher(), tmp_path / "sky.safetensors", tiny.manager())
    with pytest.raises(UserError, match=r"sky\.safetensors.*cameras"):
        FittedTeacher.load(tmp_path / "sky.safetensors", tiny.manager())


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Where the run that the tests copy is stored once one of them has made it."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def nfcore(command, made, monkeypatch, tmp_path):
    """Run the command line with the tiny components, in a folder with a finished run."""
    source_folder(tmp_path / "plugins" / "tiny", "tiny-dist", "tiny_in_a_folder")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    monkeypatch.setenv("NFCORE_PLUGINS_ONLY", "tiny-dist")
    monkeypatch.setattr("nfcore.measuring.peak._SIDE", 32)

    def run(*arguments: str | Path):
        return command("--plugins-dir", tmp_path / "plugins", *arguments, cwd=tmp_path)

    if not (made / "tiny").exists():
        done = run("run", "tiny", "--runs", made, "--export", "exact", "-q")
        assert done.returncode == 0, done.stderr
    shutil.copytree(made / "tiny", tmp_path / "runs" / "tiny")
    return run


def test_a_runs_teacher_is_exported_reported_and_benched(nfcore, tmp_path):
    done = nfcore("export", "tiny", "bake", "--as", "sky", "-q")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "tiny"
    summary = json.loads((run / "summary.json").read_text())
    assert summary["export.sky.psnr_vs_torch"] > 80
    assert summary["export.sky.verified_by"] == "a painter"
    manifest = Manifest.read(run / "exports" / "sky")
    assert (manifest.model.kind, manifest.model.file) == ("teacher", "teacher.safetensors")
    assert summary["export.sky.torch_psnr_vs_photos"] == pytest.approx(summary["teacher.test.psnr"], abs=0.01)
    assert nfcore("report", "tiny").returncode == 0
    assert "a painter" in (run / "report.html").read_text()

    done = nfcore("bench", "tiny", "--seconds", "0.01", "--threads", "1", "--json", "-q")
    assert done.returncode == 0, done.stderr
    rows = {row["label"]: row for row in json.loads(done.stdout)["rows"]}
    assert list(rows) == ["torch", "teacher in torch", "exact", "sky"]
    assert rows["teacher in torch"]["memory"] > 0
    assert rows["teacher in torch"]["psnr"] == summary["export.sky.torch_psnr_vs_photos"]
    assert rows["sky"]["milliseconds"] > 0
    assert "share_of_peak" in rows["exact"]
    assert "share_of_peak" not in rows["sky"]


def test_it_needs_no_student(nfcore, tmp_path):
    """Baking a teacher is what a run may be for; its cameras are then those of the test views."""
    run = tmp_path / "runs" / "tiny"
    config = run / "config.toml"
    config.write_text(config.read_text().replace('name = "copy"', 'name = "bake"'))
    (run / "student.safetensors").unlink()
    results = json.loads((run / "state" / "results.json").read_text())
    (run / "state" / "results.json").write_text(json.dumps({"teach": results["teach"]}))
    done = nfcore("export", "tiny", "bake", "-q")
    assert done.returncode == 0, done.stderr
    assert Manifest.read(run / "exports" / "bake").model.kind == "teacher"
    done = nfcore("export", "tiny", "copy", "-q")
    assert done.returncode == 2
    assert "nfcore finetune" in done.stderr
