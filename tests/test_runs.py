"""A run's folder: nothing is lost, nothing done twice, another run never touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import torch

from nfcore import LightField, UserError
from nfcore.config.resolve import configure
from nfcore.exports.manifest import Manifest, sha256
from nfcore.io.tensors import read_safetensors, write_safetensors
from nfcore.pipeline import load_teacher, save_teacher
from nfcore.pipeline.export import ExportsFailedError
from nfcore.runs import Run, StageReporter, Stages, open_scene
from nfcore.ui.console import Console

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
        for metric in ("psnr", "ssim", "ssim_mobiler2l")
    ),
    "student.finetuning_kept",
    "student.finetuning_best_step",
    "student.parameters",
    "student.macs",
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


@pytest.fixture
def config(manager):
    return configure("tiny", manager)


@pytest.fixture
def console():
    return Console(quiet=True)


@pytest.fixture
def run(tmp_path, config):
    return Run.create(tmp_path / "run", config, resume=False)


def checkpoint_every_time(monkeypatch) -> None:
    monkeypatch.setattr("nfcore.runs.checkpoints.LEAST_SECONDS", 0.0)
    monkeypatch.setattr("nfcore.runs.checkpoints.MOST_SHARE", 1e9)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lines(run: Run) -> list[dict]:
    return [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]


def trained(folder: Path, config, manager, console) -> Run:
    """A run whose student is finished, begun or gone on with."""
    run = Run.create(folder, config, resume=True)
    for stage in ("teach", "distill", "finetune"):
        Stages(run, manager, console).do(stage)
    return run


# -- creating and finding ----------------------------------------------------------------------------


def test_a_new_run_holds_its_configuration_and_nothing_else(run, config):
    assert list(contents(run.folder)) == ["config.toml"]
    assert Run(run.folder).config == run.config == config


def test_a_configuration_survives_the_folder_whatever_its_values(tmp_path, manager):
    changes = [
        "finetune.seconds=1.5",
        "distill.crop=3",
        'summary="say \\"hi\\" to ü"',
        "seed=-1",
        "teacher.gain=1e-30",
    ]
    config = configure("tiny", manager, changes=changes, exports="")
    assert Run.create(tmp_path / "run", config, resume=False).config == config


def test_the_configuration_names_no_path(run):
    assert str(run.folder.parent) not in (run.folder / "config.toml").read_text()


def test_a_run_that_is_there_goes_on_only_when_asked_to(run, config):
    before = contents(run.folder)
    with pytest.raises(UserError, match="holds this run already: --resume goes on with it"):
        Run.create(run.folder, config, resume=False)
    assert Run.create(run.folder, config, resume=True).config == config
    assert contents(run.folder) == before


@pytest.mark.parametrize("resume", [False, True])
def test_another_run_is_not_touched_and_the_difference_is_named(run, manager, resume):
    before = contents(run.folder)
    other = configure("tiny", manager, changes=["distill.steps=31", "teacher.gain=0.5"])
    with pytest.raises(UserError, match=r"another distill\.steps, teacher\.gain: choose another --name"):
        Run.create(run.folder, other, resume=resume)
    assert contents(run.folder) == before


def test_exports_may_be_added_to_a_run_that_goes_on(run, manager):
    more = configure("tiny", manager, exports="exact,copy")
    assert set(Run.create(run.folder, more, resume=True).config.export) == {"exact", "copy"}
    assert set(Run(run.folder).config.export) == {"exact", "copy"}


def test_a_folder_with_other_files_is_not_taken(tmp_path, config):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(UserError, match="is not empty and holds no run"):
        Run.create(tmp_path, config, resume=True)
    assert list(contents(tmp_path)) == ["thesis.tex"]


def test_an_empty_folder_is_taken(tmp_path, config):
    assert Run.create(tmp_path, config, resume=True).config == config


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(UserError, match="no run here"):
        Run(tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"), [("seed = [", "not valid TOML"), ("sed = 1", "unknown option 'sed'|is missing")]
)
def test_a_damaged_configuration_is_a_users_error_that_names_the_file(run, text, reason):
    (run.folder / "config.toml").write_text(text)
    with pytest.raises(UserError, match=reason) as error:
        Run(run.folder)
    assert str(run.folder / "config.toml") in str(error.value)


# -- what is finished --------------------------------------------------------------------------------


def test_what_is_finished_is_remembered_in_order_and_its_checkpoint_removed(run):
    run.checkpoint_of("teach").parent.mkdir()
    run.checkpoint_of("teach").write_text("x")
    run.finished("teach", {"seconds.teach": 1.0})
    run.finished("distill", {"seconds.distill": 2.0})
    run.finished("teach", {"seconds.teach": 3.5})
    assert list(Run(run.folder).results.items()) == [
        ("distill", {"seconds.distill": 2.0}),
        ("teach", {"seconds.teach": 3.5}),
    ]
    assert not run.checkpoint_of("teach").exists()
    assert run.write_summary() == {"seconds.distill": 2.0, "seconds.teach": 3.5, "seconds.total": 5.5}
    assert json.loads((run.folder / "summary.json").read_text())["seconds.total"] == 5.5


def test_forgetting_a_stage_forgets_those_after_it_with_their_checkpoints(run):
    stages = ("teach", "distill", "finetune", "evaluate", "render", "export.onnx")
    for stage in stages:
        run.finished(stage, {})
    run.checkpoint_of("finetune").write_text("x")
    run.forget("finetune")
    assert list(run.results) == ["teach", "distill"]
    assert not run.checkpoint_of("finetune").exists()


def test_forgetting_one_export_leaves_the_others(run):
    for stage in ("teach", "export.a", "export.b"):
        run.finished(stage, {})
    run.forget_one("export.a")
    assert list(run.results) == ["teach", "export.b"]


# -- reporting ---------------------------------------------------------------------------------------


def test_metrics_are_lines_of_json(run, console):
    reporter = StageReporter(run, "distill", console)
    reporter.start(2)
    reporter.step(1, psnr=12.3456789)
    reporter.step(2, psnr=13.0, loss=0.5)
    assert lines(run) == [
        {"stage": "distill", "step": 1, "psnr": 12.345679},
        {"stage": "distill", "step": 2, "psnr": 13.0, "loss": 0.5},
    ]


def test_a_checkpoint_is_taken_only_when_one_is_due(run, console, monkeypatch):
    reporter = StageReporter(run, "distill", console)
    reporter.checkpoint(1, lambda: pytest.fail("not due yet"))
    assert not run.checkpoint_of("distill").exists()
    checkpoint_every_time(monkeypatch)
    reporter.checkpoint(2, lambda: {"w": torch.ones(2)})
    assert run.checkpoint_of("distill").exists()


def test_restoring_takes_back_what_was_logged_after_the_checkpoint(run, console, monkeypatch):
    checkpoint_every_time(monkeypatch)
    first = StageReporter(run, "distill", console)
    assert first.restore() is None
    first.step(1, psnr=1.0)
    first.checkpoint(1, lambda: {"w": torch.ones(2)})
    first.step(2, psnr=2.0)
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "dist')  # killed in the middle of a line

    second = StageReporter(run, "distill", console)
    assert torch.equal(second.restore()["w"], torch.ones(2))
    second.step(2, psnr=3.0)
    assert lines(run) == [
        {"stage": "distill", "step": 1, "psnr": 1.0},
        {"stage": "distill", "step": 2, "psnr": 3.0},
    ]


def test_a_stage_that_begins_anew_takes_back_its_rows_and_no_others(run, console):
    path = run.folder / "metrics.jsonl"
    others = '{"stage": "teach", "step": 1}\nnot a row of nfcore\n'
    path.write_text(others + '{"stage": "distill", "step": 1}\n{"stage": "distill", "st')  # killed in a line
    StageReporter(run, "distill", console)
    assert path.read_text() == others


def test_what_is_begun_anew_on_demand_is_logged_once(run, manager, console):
    trained(run.folder, run.config, manager, console)
    before = lines(run)
    run.forget("finetune")
    trained(run.folder, run.config, manager, console)
    assert lines(run) == before


def test_the_preview_comes_when_it_would_have_come(run, console, monkeypatch):
    checkpoint_every_time(monkeypatch)
    first = StageReporter(run, "distill", console)
    first.shown -= 30  # seconds ago; one is due every 20
    first.checkpoint(1, lambda: 0)
    second = StageReporter(run, "distill", console)
    assert not second.image_due()
    second.restore()
    assert second.image_due()


@pytest.mark.parametrize("name", [".distill.safetensors.a1b2c3d4", ".student.png.________"])
def test_what_a_killed_process_was_writing_is_swept_away_and_nothing_else(run, manager, console, name):
    previews = run.folder / "previews"
    for folder in (name, ".mine.too", "kept.a1b2c3d4"):
        (previews / folder).mkdir(parents=True)
        (previews / folder / "half").write_text("x")
    (previews / ".notes.a1b2c3d4").write_text("a file, which nfcore never leaves")
    Stages(run, manager, console).do("teach")
    assert {path.name for path in previews.iterdir()} == {".mine.too", "kept.a1b2c3d4", ".notes.a1b2c3d4"}


def test_a_checkpoint_that_outlived_its_finished_stage_is_removed(run, manager, console):
    stages = Stages(run, manager, console)
    stages.do("teach")
    run.checkpoint_of("teach").write_bytes(b"killed before it was removed")
    stages.do("teach")
    assert not run.checkpoint_of("teach").exists()


def test_checkpoints_take_no_more_than_their_share_of_the_time(run, console, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    reporter = StageReporter(run, "distill", console)
    taken = []

    def state():
        clock[0] += 3.0  # a slow disk
        taken.append(clock[0])
        return 0

    while clock[0] < 3000:
        clock[0] += 0.1
        reporter.checkpoint(1, state)
    assert 0.015 < 3 * len(taken) / clock[0] <= 0.02
    # one at once, so that not all is lost on a slow disk, the others when they are paid for
    assert taken[0] < 20
    assert taken[1] > 250


def test_quick_checkpoints_come_every_15_seconds(run, console, monkeypatch):
    clock, taken = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    reporter = StageReporter(run, "distill", console)
    for _ in range(100):
        clock[0] += 1.0
        reporter.checkpoint(1, lambda: taken.append(clock[0]))
    assert taken == [15, 30, 45, 60, 75, 90]


def saved_by(run, console, monkeypatch, state=0, **written) -> StageReporter:
    """A reporter of a stage whose checkpoint another nfcore or another machine has written."""
    checkpoint_every_time(monkeypatch)
    reporter = StageReporter(run, "distill", console)
    reporter.checkpoints.save(lambda: reporter._saved(7, state) | written)
    return StageReporter(run, "distill", console)


def test_a_checkpoint_of_another_machine_goes_on_and_says_so(run, monkeypatch, capsys):
    reporter = saved_by(run, Console(), monkeypatch, machine="s390x torch 2.6")
    assert reporter.restore() == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "distill: goes on from step 7" in printed
    assert "its weights may end with other bits than without the interruption: s390x torch 2.6 then," in printed


def test_the_same_machine_is_not_worth_a_word(run, monkeypatch, capsys):
    saved_by(run, Console(), monkeypatch).restore()
    assert "bits" not in capsys.readouterr().err


@pytest.mark.parametrize("written", [{"format": 1}, {"format": 99, "nfcore": "7.0"}])
def test_a_checkpoint_of_another_format_is_a_users_error_that_says_what_to_do(run, console, monkeypatch, written):
    with pytest.raises(UserError, match=r"another version of nfcore .*; this is .* --again"):
        saved_by(run, console, monkeypatch, **written).restore()


def test_a_checkpoint_that_no_longer_fits_is_a_users_error_that_says_what_to_do(
    run, manager, console, monkeypatch
):
    Stages(run, manager, console).do("teach")
    saved_by(run, console, monkeypatch, state={"step": 7})
    before = contents(run.folder)
    with pytest.raises(UserError, match=r"can't go on from it \('\w+'\): 'nfcore distill .* --again' begins anew"):
        Stages(run, manager, console).do("distill")
    assert contents(run.folder) == before


def test_a_bug_after_the_restart_is_not_blamed_on_the_checkpoint(run, console, monkeypatch):
    reporter = saved_by(run, console, monkeypatch)
    with pytest.raises(ValueError, match="a bug"), reporter.resuming():
        reporter.restore()
        reporter.start(9)
        raise ValueError("a bug")


def test_restoring_without_the_metrics_file_makes_no_zeros(run, console, monkeypatch):
    checkpoint_every_time(monkeypatch)
    first = StageReporter(run, "distill", console)
    first.step(1, psnr=1.0)
    first.checkpoint(1, lambda: 5)
    (run.folder / "metrics.jsonl").unlink()
    assert StageReporter(run, "distill", console).restore() == 5
    assert not (run.folder / "metrics.jsonl").exists()


def test_the_time_before_an_interruption_counts(run, console, monkeypatch):
    checkpoint_every_time(monkeypatch)
    first = StageReporter(run, "distill", console)
    first.began -= 100
    first.checkpoint(1, lambda: 0)
    second = StageReporter(run, "distill", console)
    second.restore()
    assert 100 <= second.seconds < 110


# -- stages ------------------------------------------------------------------------------------------


def test_a_whole_run_leaves_its_files_and_its_summary(run, manager, console):
    Stages(run, manager, console).do_all()
    assert set(contents(run.folder)) == {
        "config.toml",
        "metrics.jsonl",
        "summary.json",
        "views.json",
        "teacher.safetensors",
        "student.safetensors",
        "state/results.json",
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
    assert {line["stage"] for line in lines(run)} >= {"teach", "distill", "finetune", "evaluate", "render"}


def test_a_finished_stage_is_not_done_again(run, manager, console, monkeypatch):
    stages = Stages(run, manager, console)
    stages.do("teach")
    before = contents(run.folder)
    monkeypatch.setattr(Stages, "teach", lambda *a: pytest.fail("done again"))
    Stages(run, manager, console).do("teach")
    assert contents(run.folder) == before


@pytest.mark.parametrize(
    ("stage", "needed"),
    [("distill", "teach"), ("finetune", "distill"), ("evaluate", "finetune"), ("export", "finetune")],
)
def test_a_stage_whose_forerunner_is_missing_says_how_to_do_it(run, manager, console, stage, needed):
    with pytest.raises(UserError, match=f"{needed} is not finished; 'nfcore {needed} "):
        Stages(run, manager, console).do(stage)


def test_two_runs_of_one_configuration_have_the_same_weights_in_any_folder(tmp_path, manager, config, console):
    first = trained(tmp_path / "a", config, manager, console).student.read_bytes()
    torch.rand(3)  # what happened before does not matter
    assert trained(tmp_path / "b", config, manager, console).student.read_bytes() == first


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
    assert killed.student.read_bytes() == through.student.read_bytes()
    assert lines(killed) == lines(through)


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
        Stages(Run(run.folder), manager, console).do("export")
    assert str(error.value).splitlines()[0] == "2 of 4 exports failed"
    assert "export 'wrong' differs from torch: 20.0 dB where at least 60.0 are due" in str(error.value)
    assert "export 'strict' differs from torch: 140.0 dB where at least 141.0 are due" in str(error.value)
    made = {name for name in run.results if name.startswith("export.")}
    assert made == {"export.exact", "export.elsewhere"}
    assert sorted(path.name for path in (run.exports / "rejected").iterdir()) == ["strict", "wrong"]
    summary = json.loads((run.folder / "summary.json").read_text())
    assert summary["export.exact.max_error"] == 0.0


def test_a_run_is_exported_where_its_photos_are_not(run, manager, console, monkeypatch):
    Stages(run, manager, console).do_all()
    before = Manifest.read(run.exports / "exact")
    assert before.photos is not None
    assert (before.photos.photos, before.student.scene) == (2, "ring")
    assert before.student.sha256 == sha256(run.student)
    run.forget_one("export.exact")

    def gone(self, split):
        raise UserError("ring: no such folder")

    monkeypatch.setattr(tiny.Ring, "views", gone)
    Stages(run, manager, console).do("export")
    manifest = Manifest.read(run.exports / "exact")
    assert manifest.photos is None
    assert manifest.not_verified == ("PSNR against photos: they are not here: ring: no such folder",)
    assert manifest.parity is not None
    assert manifest.parity.poses == 8


def test_exports_need_a_finished_student(run, manager, console):
    with pytest.raises(UserError, match="finetune is not finished"):
        Stages(run, manager, console).do("export")


def test_a_scene_whose_size_the_scale_does_not_divide_is_refused(manager):
    with pytest.raises(UserError, match="18x18 does not divide into 4x4 blocks"):
        open_scene(configure("tiny", manager, changes=["image_size=18"]), manager)


# -- teachers in files -------------------------------------------------------------------------------


def test_a_teacher_comes_back_without_its_photos(tmp_path, manager, generator):
    teacher = tiny.fitted_teacher(gain=0.9)
    save_teacher(teacher, tmp_path / "t", manager)
    loaded = load_teacher(tmp_path / "t", manager)
    rays = tiny.cameras(tiny.REGION.sample(1, generator)).rays().flat()
    assert torch.equal(loaded.render(rays).rgb, teacher.render(rays).rgb)
    assert loaded.scene == teacher.scene
    assert loaded.options == teacher.options
    assert not loaded.training


def test_a_student_is_not_a_teacher_and_the_other_way_around(tmp_path, manager):
    save_teacher(tiny.fitted_teacher(), tmp_path / "teacher", manager)
    tiny.student().save(tmp_path / "student", manager)
    with pytest.raises(UserError, match="student: not a teacher of nfcore"):
        load_teacher(tmp_path / "student", manager)
    with pytest.raises(UserError, match="teacher: not a student of nfcore"):
        LightField.load(tmp_path / "teacher", manager)


@pytest.mark.parametrize(
    ("tensors", "card", "reason"),
    [
        ({"width": torch.ones(3)}, None, "its weights do not fit tiny-dist/sky: .*width"),
        (
            None,
            '{"teacher": {"name": "sky"}}',
            "damaged, or a teacher of another version of nfcore: Field required",
        ),
        (None, "{", "damaged, or a teacher of another version of nfcore: Invalid JSON"),
    ],
)
def test_a_teacher_of_another_version_is_a_users_error_that_names_the_file(
    tmp_path, manager, tensors, card, reason
):
    path = tmp_path / "t"
    save_teacher(tiny.fitted_teacher(), path, manager)
    weights, metadata = read_safetensors(path)
    write_safetensors(path, tensors or weights, {"nfcore-teacher": card or metadata["nfcore-teacher"]})
    with pytest.raises(UserError, match=f"t: {reason}") as error:
        load_teacher(path, manager)
    assert "\n" not in str(error.value)
