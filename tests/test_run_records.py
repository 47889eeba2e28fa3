"""What a run keeps for its report: scores of each view, commands, and what set each value."""

from __future__ import annotations

import shutil
from importlib.metadata import version

import pytest
import tiny
from reported import COMMAND

from nfcore import UserError
from nfcore.config.resolve import configure_with_sources
from nfcore.config.schema import PipelineConfig
from nfcore.evaluation.per_view_scores import read_view_scores
from nfcore.report.settings import groups
from nfcore.runs import Artifacts, Run, Scheduler, provenance
from nfcore.runs.provenance import Provenance, command_line
from nfcore.runs.report import gather
from nfcore.ui.console import Console


@pytest.fixture
def run(finished, tmp_path) -> Artifacts:
    """A finished run of one's own."""
    shutil.copytree(finished, tmp_path / "tiny")
    return Artifacts(Run(tmp_path / "tiny"), tiny.manager())


# -- what a run keeps for it -----------------------------------------------------------------------


def test_the_scores_of_the_views_are_those_whose_means_the_summary_has(run):
    rows, summary = read_view_scores(run.run.view_scores_file), run.run.summary()
    assert [(row.view, row.index) for row in rows] == [(f"test{i}", i) for i in range(5)]
    for scored in ("teacher.test", "student.distilled", "student.test"):
        for metric in ("psnr", "ssim"):
            mean = sum(row.scores[f"{scored}.{metric}"] for row in rows) / len(rows)
            assert mean == pytest.approx(summary[f"{scored}.{metric}"])


def test_a_protocols_views_keep_their_place_in_the_test_split(run, monkeypatch):
    monkeypatch.setattr("nfcore.evaluation.publications.Protocol.indices", lambda self, n: range(0, n, 2))
    run.run.config = run.config.model_copy(update={"protocol": "postcard"})
    Scheduler(run, Console(quiet=True)).do("evaluate")
    assert [row.index for row in read_view_scores(run.run.view_scores_file)] == [0, 2, 4]


def test_the_run_keeps_its_commands_as_a_shell_takes_them(run):
    (command,) = Provenance.read(run.run.folder).commands
    assert command.line == "nfcore run tiny --set scene.test=5 --set 'summary=a & b'"
    assert command.versions["torch"] == version("torch")
    assert command.versions["tiny-dist"] == "1.0"


def test_the_same_command_again_is_kept_once_and_another_beside_it(run):
    for arguments in (COMMAND, COMMAND, ["export", "tiny"], ["export", "tiny"]):
        provenance.keep(run.run, {}, run.components, command_line(arguments))
    kept = Provenance.read(run.run.folder)
    assert [command.line for command in kept.commands][1:] == ["nfcore export tiny"]
    assert kept.sources["scene.test"] == "--set"


def test_scores_of_a_student_that_is_gone_are_not_shown(run):
    run.run.forget("finetune")
    contents = gather(run)
    assert contents.scores is None
    assert {view.title for view in contents.views} == {"Test view"}


@pytest.mark.parametrize("damage", ["", "{", "{}", "[1]", '[{"view": "a", "index": -1, "scores": {}}]'])
def test_damaged_scores_are_a_line_that_names_the_file(run, damage):
    (run.run.folder / "views.json").write_text(damage)
    with pytest.raises(UserError, match=r"views\.json: damaged"):
        gather(run)


def test_scores_of_views_that_are_gone_have_no_pictures(run):
    (run.run.folder / "views.json").write_text('[{"view": "a", "index": 99, "scores": {}}]')
    assert {view.title for view in gather(run).views} == {"Test view"}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"commands": [{"line": 1}]}', '{"sources": 3}'])
def test_a_damaged_provenance_is_a_line_that_names_the_file(run, damage):
    (run.run.folder / "provenance.json").write_text(damage)
    with pytest.raises(UserError, match=r"provenance\.json: damaged"):
        gather(run)


# -- where a value came from -----------------------------------------------------------------------


@pytest.fixture
def mine(tmp_path) -> str:
    (tmp_path / "base.toml").write_text('extends = "tiny"\nseed = 1\nteacher.gain = 0.5\nimage_size = 32')
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\nseed = 2\nscene.train = 5')
    return str(tmp_path / "mine.toml")


def test_each_value_has_the_source_that_gave_it_last(manager, mine):
    sources = configure_with_sources(
        mine, manager, changes=["teach.steps=7", "distill.views=4"], exports="copy", protocol="all"
    ).sources
    assert sources["seed"] == f"recipe {mine}"
    assert sources["image_size"] == sources["teacher.gain"] == "recipe base.toml"
    assert sources["scene.name"] == "recipe tiny"  # named alone there; mine.toml lays an option over it
    assert sources["scene.train"] == f"recipe {mine}"
    assert sources["distill.steps"] == "recipe tiny"
    assert sources["teach.steps"] == sources["distill.views"] == "--set"
    assert sources["export.copy.name"] == "--export"
    assert sources["protocol"] == "--protocol"
    assert "device" not in sources  # a default
    assert "export.exact.name" not in sources  # dropped


def test_another_component_takes_the_old_ones_options_and_their_sources_along(manager, mine):
    sources = configure_with_sources(mine, manager, scene="ring").sources
    assert sources["scene.name"] == "--scene"
    assert "scene.train" not in sources


def test_settings_show_values_sources_and_the_defaults_of_components(manager, mine):
    configured = configure_with_sources(mine, manager, changes=["teach.steps=7"])
    shown = {
        f"{group.name}.{s.name}": (s.value, s.source)
        for group in groups(configured.config, configured.sources, manager)
        for s in group.settings
    }
    assert shown["pipeline.seed"] == ("2", "recipe mine.toml")
    assert shown["teach.steps"] == ("7", "--set")
    assert shown["teach.seconds"] == ("none", "default")
    assert shown["student.backbone.width"] == ("8", "recipe tiny")
    assert shown["student.backbone.norm"] == ("false", "default")
    assert shown["export.exact.required_psnr"] == ("none", "default")


def test_what_a_later_command_changed_is_not_taken_for_a_default(manager):
    configured = configure_with_sources("tiny", manager)
    values = configured.config.model_dump() | {"protocol": "postcard"}
    values["export"]["late"] = {"name": "copy", "psnr": 70}
    shown = {
        f"{group.name}.{s.name}": s.source
        for group in groups(PipelineConfig.model_validate(values), configured.sources, manager)
        for s in group.settings
    }
    assert shown["pipeline.protocol"] == shown["export.late.psnr"] == "a later command"
    assert shown["export.late.max_error"] == shown["pipeline.device"] == "default"
