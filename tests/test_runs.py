"""The stages of a run: nothing is lost, nothing done twice."""

from __future__ import annotations

import json

import pytest
import tiny
import torch
from tiny_runs import checkpoint_every_time, contents, rows, scheduler, trained

import nfcore
from nfcore import UserError
from nfcore.config.resolve import configure
from nfcore.config.schema import ExportChoice
from nfcore.exports.manifest import Manifest, sha256
from nfcore.pipeline.export import ExportsFailedError
from nfcore.runs import Run, StageReporter, execute, open_scene

pytestmark = pytest.mark.slow

SUMMARY = {
    "scene",
    "image_size",
    "seconds.teach",
    "seconds.distill",
    "seconds.finetune",
    "seconds.evaluate",
    "seconds.render",
    "seconds.export.exact",
    "seconds.export.elsewhere",
    "seconds.total",
    "teacher.parameters",
    "protocol",
    "test_views",
    *(
        f"{scored}.{metric}"
        for scored in ("teacher.test", "student.distilled", "student.test")
        for metric in ("psnr", "psnr_cc", "ssim", "ssim_mobiler2l")
    ),
    "student.finetuning_kept",
    "student.finetuning_best_step",
    "student.parameters",
    "student.macs",
    "student.look_ups",
    "student.look_up_bytes",
    "export.exact.bytes",
    "export.exact.precision",
    "export.exact.mean_psnr_vs_torch",
    "export.exact.psnr_vs_photos",
    "export.exact.torch_psnr_vs_photos",
    "export.exact.verified_by",
    "export.exact.psnr_vs_torch",
    "export.exact.max_error",
    "export.elsewhere.bytes",
    "export.elsewhere.precision",
    "export.elsewhere.not_verified",
}


def test_a_resumed_run_is_checked_before_its_teacher_is_fitted(run, config, manager, monkeypatch):
    monkeypatch.setattr(tiny.Directions, "forward", lambda self, origins, directions: directions * torch.nan)
    monkeypatch.setattr(tiny.Sky, "fit", lambda *_: pytest.fail("the teacher is fitted"))
    with pytest.raises(UserError, match="features"):
        execute(run.folder, config, resume=True, components=manager)


def test_a_whole_run_leaves_its_files_and_its_summary(run, manager, console):
    execute(run.folder, components=manager, console=console)
    assert set(contents(run.folder)) == {
        "config.toml",
        "provenance.json",
        "report.html",
        "metrics.jsonl",
        "summary.json",
        "views.json",
        "teacher.safetensors",
        "student.safetensors",
        "state/results.json",
        "state/run.lock",
        "state/distilled.safetensors",
        "previews/comparison.png",
        "previews/orbit.mp4",
        *(
            f"exports/{label}/{file}"
            for label in ("exact", "elsewhere")
            for file in ("copy.safetensors", "manifest.json", "README.md", "picture.png")
        ),
    }
    summary = json.loads((run.folder / "summary.json").read_text())
    assert {key for key in summary if not key.endswith(".lpips")} == SUMMARY  # not everyone can have LPIPS
    assert (summary["scene"], summary["image_size"]) == ("ring", 16)
    assert summary["teacher.test.psnr"] > 60  # it knows the scene
    parts = [value for name, value in summary.items() if name.startswith("seconds.") and name != "seconds.total"]
    assert summary["seconds.total"] == pytest.approx(sum(parts), abs=0.05)
    assert {line["stage"] for line in rows(run)} >= {"teach", "distill", "finetune", "evaluate", "render"}


def test_a_new_run_prints_the_warnings_of_its_scene_before_it_trains(
    tmp_path, manager, config, console, monkeypatch
):
    noted = []
    monkeypatch.setattr(tiny.Ring, "notes", ("two photos are missing",))
    monkeypatch.setattr(console, "note", noted.append)
    execute(tmp_path / "new", config, stage="teach", components=manager, console=console)
    assert noted[0] == "warning: two photos are missing" and any("only" in note for note in noted)


def test_a_finished_stage_is_not_done_again(run, manager, console, monkeypatch):
    stages = scheduler(run, manager, console)
    stages.do("teach")
    before = contents(run.folder)
    monkeypatch.setattr("nfcore.pipeline.teach", lambda *a: pytest.fail("done again"))
    scheduler(run, manager, console).do("teach")
    assert contents(run.folder) == before


@pytest.mark.parametrize(
    ("stage", "needed"),
    [("distill", "teach"), ("finetune", "distill"), ("evaluate", "finetune"), ("export", "finetune")],
)
def test_a_stage_whose_forerunner_is_missing_says_how_to_do_it(run, manager, console, stage, needed):
    with pytest.raises(UserError, match=f"{needed} is not finished; run 'nfcore {needed} "):
        scheduler(run, manager, console).do(stage)


def test_two_runs_of_one_configuration_have_the_same_weights_in_any_folder(tmp_path, manager, config, console):
    first = trained(tmp_path / "a", config, manager, console).student_file.read_bytes()
    torch.rand(3)  # what happened before does not matter
    assert trained(tmp_path / "b", config, manager, console).student_file.read_bytes() == first


class Killed(BaseException):
    """Stands for a kill: nothing in the framework may catch it."""


@pytest.mark.parametrize("stage", ["distill", "finetune"])
def test_a_run_killed_again_and_again_ends_with_the_same_student(
    tmp_path, manager, config, console, monkeypatch, stage
):
    through = trained(tmp_path / "through", config, manager, console)
    checkpoint, kills = StageReporter.checkpoint, [1, 2, 3]

    def checkpoint_and_die(self, step, state):
        checkpoint(self, step, state)
        if self.stage == stage and step in kills:
            kills.remove(step)
            raise Killed

    checkpoint_every_time(monkeypatch)
    monkeypatch.setattr(StageReporter, "checkpoint", checkpoint_and_die)
    for _ in range(3):
        with pytest.raises(Killed):
            trained(tmp_path / "killed", config, manager, console)
    killed = trained(tmp_path / "killed", config, manager, console)
    assert killed.student_file.read_bytes() == through.student_file.read_bytes()
    assert rows(killed) == rows(through)


def test_a_failed_export_leaves_the_others_and_the_run_can_go_on(run, manager, console):
    trained(run.folder, run.config, manager, console)
    changes = [
        "export.wrong.name=copy",
        "export.wrong.error=0.1",
        "export.strict.name=copy",
        "export.strict.required_psnr=141",
    ]
    exports = configure("tiny", manager, changes=changes).export
    first = {label: exports[label] for label in ("wrong", "strict")}
    run.set_config(run.config.model_copy(update={"export": first | run.config.export}))
    for label in run.config.export:
        run.forget_one(f"export.{label}")
    with pytest.raises(ExportsFailedError) as error:
        scheduler(Run(run.folder), manager, console).do("export")
    assert str(error.value).splitlines()[0] == "2 of 4 exports failed"
    assert "export 'wrong' differs from torch: 20.0 dB where at least 60.0 are required" in str(error.value)
    assert "export 'strict' differs from torch: 140.0 dB where at least 141.0 are required" in str(error.value)
    made = {name for name in run.finished if name.startswith("export.")}
    assert made == {"export.exact", "export.elsewhere"}
    assert sorted(path.name for path in (run.exports_folder / "rejected").iterdir()) == ["strict", "wrong"]
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["export.exact.max_error"] == 0.0


BAKED = {"baked": ExportChoice(name="bake")}
WRONG = {"wrong": ExportChoice(name="bake", error=0.1)}


def test_an_export_of_the_teacher_is_made_and_named_before_a_student_is_trained(
    run, manager, console, monkeypatch
):
    noted = []
    monkeypatch.setattr(console, "note", noted.append)
    run.set_config(run.config.model_copy(update={"export": run.config.export | BAKED}))
    execute(run.folder, components=manager, console=console)
    assert list(run.finished)[:3] == ["teach", "export.baked", "distill"]
    assert list(run.finished)[-2:] == ["export.exact", "export.elsewhere"]
    assert any(str(run.exports_folder / "baked") in note for note in noted)


def test_an_export_of_the_teacher_that_fails_is_tried_once_and_the_student_is_trained_all_the_same(
    run, manager, console, monkeypatch
):
    tries, bake = [], tiny.Bake.export
    monkeypatch.setattr(tiny.Bake, "export", lambda *given: tries.append(1) or bake(*given))
    run.set_config(run.config.model_copy(update={"export": run.config.export | WRONG}))
    with pytest.raises(ExportsFailedError, match="1 of 3 exports failed"):
        execute(run.folder, components=manager, console=console)
    assert len(tries) == 1
    assert {"finetune", "export.exact"} <= set(run.finished)


def test_a_run_is_exported_where_its_photos_are_not(run, manager, console, monkeypatch):
    execute(run.folder, components=manager, console=console)
    before = Manifest.read(run.exports_folder / "exact")
    assert before.photos is not None
    assert (before.photos.photos, before.model.scene) == (2, "ring")
    assert before.model.sha256 == sha256(run.student_file)
    run.forget_one("export.exact")

    def gone(self, split):
        raise UserError("ring: no such folder")

    monkeypatch.setattr(tiny.Ring, "views", gone)
    scheduler(run, manager, console).do("export")
    manifest = Manifest.read(run.exports_folder / "exact")
    assert manifest.photos is None
    (not_verified,) = manifest.not_verified
    assert not_verified.startswith("PSNR against photos: ") and not_verified.endswith(": ring: no such folder")
    assert manifest.parity is not None
    assert manifest.parity.poses == 8


def test_exports_need_a_finished_student(run, manager, console):
    with pytest.raises(UserError, match="finetune is not finished"):
        scheduler(run, manager, console).do("export")


def test_a_scene_whose_size_the_scale_does_not_divide_is_refused(manager):
    with pytest.raises(UserError, match="18x18 does not divide into 4x4 blocks"):
        open_scene(configure("tiny", manager, changes=["image_size=18"]), manager)


def test_a_scene_that_can_be_cropped_is_cropped_for_the_students_scale(manager, monkeypatch):
    """Of 18 pixels, the scale of 4 leaves 16; what the user says comes first."""

    class Options(tiny.Ring.Options):
        multiple: int = 1

    def begin(self, options, image_size=None):
        nfcore.RaySource.__init__(self, options, image_size - image_size % options.multiple)

    monkeypatch.setattr(tiny.Ring, "Options", Options)
    monkeypatch.setattr(tiny.Ring, "__init__", begin)
    monkeypatch.setattr(tiny.Ring, "crop_option", "multiple")
    opened = open_scene(configure("tiny", manager, changes=["image_size=18"]), manager)
    assert opened.views("test").cameras.width == 16
    with pytest.raises(UserError, match="18x18"):
        open_scene(configure("tiny", manager, changes=["image_size=18", "scene.multiple=9"]), manager)


@pytest.mark.parametrize("name", [".distill.safetensors.a1b2c3d4", ".student.png.________"])
def test_what_a_killed_process_was_writing_is_swept_away_and_nothing_else(run, manager, console, name):
    previews = run.folder / "previews"
    for folder in (name, ".mine.too", "kept.a1b2c3d4"):
        (previews / folder).mkdir(parents=True)
        (previews / folder / "half").write_text("x")
    (previews / ".notes.a1b2c3d4").write_text("a file, which nfcore never leaves")
    scheduler(run, manager, console).do("teach")
    assert {path.name for path in previews.iterdir()} == {".mine.too", "kept.a1b2c3d4", ".notes.a1b2c3d4"}


def test_a_checkpoint_that_outlived_its_finished_stage_is_removed(run, manager, console):
    stages = scheduler(run, manager, console)
    stages.do("teach")
    run.checkpoint_file("teach").write_bytes(b"killed before it was removed")
    stages.do("teach")
    assert not run.checkpoint_file("teach").exists()
