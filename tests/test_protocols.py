"""Which test views are scored: all by default, those of a publication on request, and the summary says which."""

from __future__ import annotations

import json

import pytest
import tiny

from nfcore import PluginError, UserError
from nfcore.config.resolve import configure
from nfcore.evaluation.publications import Protocol, read_tables
from nfcore.pipeline import evaluate
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Artifacts, Run, Scheduler
from nfcore.ui.console import Console


@pytest.mark.parametrize(
    ("n", "indices"),
    [
        (200, list(range(0, 200, 8))),  # Synthetic-360: every 8th, as the reference's test skip of 8
        (25, list(range(25))),
        (8, list(range(8))),  # all that LLFF holds out
        (1, [0]),
        (26, list(range(0, 26, 2))),
        (100, list(range(0, 100, 4))),
    ],
)
def test_25_views_are_spread_evenly_over_the_test_split(n, indices):
    assert list(Protocol(test_views=25).indices(n)) == indices


@pytest.fixture
def two_views() -> PluginManager:
    """The tiny components, and a publication that scores two views."""
    return tiny.manager()


@pytest.fixture
def run(tmp_path, two_views):
    config = configure("tiny", two_views, changes=["scene.test=5", "distill.steps=4"], protocol="postcard")
    run = Run.create(tmp_path / "run", config, resume=False)
    for stage in ("teach", "distill", "finetune", "evaluate"):
        Scheduler(Artifacts(run, two_views), Console(quiet=True)).do(stage)
    return run


def test_only_the_publications_views_are_scored_and_the_summary_says_so(run, two_views):
    summary = json.loads((run.folder / "summary.json").read_text())
    assert (summary["protocol"], summary["test_views"]) == ("postcard", 2)
    views = Artifacts(run, two_views).source.views("test")
    student = tiny.nfcore.LightField.load(run.student_file, two_views)
    every_third = evaluate(student, views.chosen([0, 3]))
    assert summary["student.test.psnr"] == pytest.approx(every_third.mean["psnr"])
    assert summary["student.test.psnr"] != pytest.approx(evaluate(student, views).mean["psnr"], abs=1e-4)


def test_another_protocol_scores_a_run_anew_and_the_same_does_not(run, two_views):
    def score(protocol):
        run.set_config(run.config.model_copy(update={"protocol": protocol}))
        before = run.finished
        Scheduler(Artifacts(run, two_views), Console(quiet=True)).do("evaluate")
        return before["evaluate"] != run.finished["evaluate"], run.finished

    anew, results = score("all")
    assert anew
    assert (results["evaluate"]["protocol"], results["evaluate"]["test_views"]) == ("all", 5)
    assert "finetune" in results
    anew, _ = score("all")
    assert not anew


def test_a_run_that_says_no_protocol_has_scored_every_view(run, two_views):
    figures = {k: v for k, v in run.finished["evaluate"].items() if k not in ("protocol", "test_views")}
    run.finish("evaluate", figures)
    run.set_config(run.config.model_copy(update={"protocol": "all"}))
    Scheduler(Artifacts(run, two_views), Console(quiet=True)).do("evaluate")
    assert run.finished["evaluate"] == figures


def test_a_run_goes_on_under_another_protocol(run, two_views):
    config = configure("tiny", two_views, changes=["scene.test=5", "distill.steps=4"])
    again = Run.create(run.folder, config, resume=True)
    assert again.config.protocol == Run(run.folder).config.protocol == "all"


def test_an_unknown_protocol_is_refused_before_any_work(two_views):
    with pytest.raises(PluginError, match="unknown publication 'postcards': did you mean 'postcard'"):
        configure("tiny", two_views, protocol="postcards")


# -- the file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("title = ", "not valid TOML"),
        ("title = 'x'", "option 'protocol' is missing"),
        ("title = 'x'\nprotocol.test_views = 0", "greater than or equal to 1"),
        ("title = 'x'\nprotocol.test_view = 3", "did you mean 'test_views'"),
        (
            "title = 'x'\nprotocol.test_views = 3\n[[tables]]\nname = 't'\ntitle = 't'\nsource = 's'\n"
            "image_size = 8\ncolumns = ['A']\nrows = [{ name = 'r', values = { B = 1.0 } }]",
            "table 't' has values in columns that it does not list: ['B']",
        ),
    ],
)
def test_a_publications_file_that_is_wrong_says_where(tmp_path, text, said):
    path = tmp_path / "tables.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError) as error:
        read_tables(path)
    assert said in str(error.value)
    assert "tables.toml" in str(error.value)
