"""A run's folder: what is in it, what is finished; another run is never touched."""

from __future__ import annotations

import json

import pytest
from tiny_runs import contents

from nfcore import UserError
from nfcore.config.resolve import configure
from nfcore.runs import Run


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
    with pytest.raises(UserError, match="holds this run already: --resume resumes it"):
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
    run.checkpoint_file("teach").parent.mkdir()
    run.checkpoint_file("teach").write_text("x")
    run.finish("teach", {"seconds.teach": 1.0})
    run.finish("distill", {"seconds.distill": 2.0})
    run.finish("teach", {"seconds.teach": 3.5})
    assert list(Run(run.folder).finished.items()) == [
        ("distill", {"seconds.distill": 2.0}),
        ("teach", {"seconds.teach": 3.5}),
    ]
    assert not run.checkpoint_file("teach").exists()
    assert run.write_summary() == {"seconds.distill": 2.0, "seconds.teach": 3.5, "seconds.total": 5.5}
    assert json.loads((run.folder / "summary.json").read_text())["seconds.total"] == 5.5


def test_forgetting_a_stage_forgets_those_after_it_with_their_checkpoints(run):
    stages = ("teach", "distill", "finetune", "evaluate", "render", "export.onnx")
    for stage in stages:
        run.finish(stage, {})
    run.checkpoint_file("finetune").write_text("x")
    run.forget("finetune")
    assert list(run.finished) == ["teach", "distill"]
    assert not run.checkpoint_file("finetune").exists()


def test_forgetting_one_export_leaves_the_others(run):
    for stage in ("teach", "export.a", "export.b"):
        run.finish(stage, {})
    run.forget_one("export.a")
    assert list(run.finished) == ["teach", "export.b"]
