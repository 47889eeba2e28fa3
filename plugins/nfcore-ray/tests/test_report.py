"""The report compares what can be compared, and says of each run what is known of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nfcore.plugin.installed import plugins
from nfcore.runtime import markdown
from nfcore_ray.messages import Event, Outcome
from nfcore_ray.plan import plan
from nfcore_ray.report import as_data, as_markdown, mean_rows
from nfcore_ray.run_status import RunStatus, counted
from nfcore_ray.sweep_file import read_sweep

FILE = """
recipes = ["quickstart"]
scenes = ["procedural", "nfcore-scenes/procedural"]
seeds = [0, 1]
variants = { plain = [], wide = ["student.width=64"] }
"""


@pytest.fixture
def statuses(tmp_path) -> list[RunStatus]:
    """Eight runs in the order scene, variant, seed; the last one is not done."""
    file = tmp_path / "many.toml"
    file.write_text(FILE.replace('"nfcore-scenes/procedural"', f'"blender:{tmp_path}"'))
    runs = [RunStatus(run) for run in plan(read_sweep(file), file, tmp_path / "runs", plugins())]
    for run, psnr in zip(runs, (20.0, 22.0, 24.0, 26.0, 30.0, 32.0, 34.0), strict=False):
        run.take_figures({"scene": "a scene", "student.test.psnr": psnr})
    return runs


def test_psnr_is_averaged_over_seeds_and_then_over_scenes(statuses, tmp_path):
    statuses[-1].take_figures({"student.test.psnr": 36.0})
    assert mean_rows(statuses) == [
        ["", "procedural", f"blender:{tmp_path}", "mean"],
        [
            "quickstart plain",
            "21.00 ± 1.41 (2)",
            "31.00 ± 1.41 (2)",
            "26.00 ± 1.41 (2)",
        ],  # 1.41: deviation of two 2 dB apart
        ["quickstart wide", "25.00 ± 1.41 (2)", "35.00 ± 1.41 (2)", "30.00 ± 1.41 (2)"],
    ]


def test_one_recipe_has_its_means_over_scenes_and_seeds_too(statuses, tmp_path):
    plain = [status for status in statuses if status.run.entry.variant == "plain"]
    _, row = mean_rows(plain)
    assert row == ["quickstart plain", "21.00 ± 1.41 (2)", "31.00 ± 1.41 (2)", "26.00 ± 1.41 (2)"]
    assert "26.00 ± 1.41 (2)" in as_markdown(tmp_path / "many", plain)
    assert mean_rows(plain[:1]) == []


def test_scenes_with_other_seeds_have_a_mean_without_a_spread(statuses):
    plain = [status for status in statuses if status.run.entry.variant == "plain"]
    assert mean_rows(plain[:3])[1][-1] == "25.50"  # of 21 and 30


def test_a_mean_over_fewer_scenes_than_others_have_is_not_shown(statuses):
    for run in statuses[6:]:
        run.state, run.figures = "waiting", None
    assert mean_rows(statuses)[2] == ["quickstart wide", "25.00 ± 1.41 (2)", "", ""]


def test_an_attempt_that_failed_is_counted_and_its_error_is_kept(statuses):
    run = statuses[-1]
    run.take(Event(kind="again", run=run.run.name, attempt=1, outcome=Outcome(error="the disk is full")))
    assert (run.state, run.attempts) == ("waiting", 1)
    assert run.line() == f"{run.run.name}: the disk is full; it is tried again"
    run.take(Event(kind="ended", run=run.run.name, attempt=2, outcome=Outcome(error="the disk is full")))
    assert counted(statuses) == "7 of 8 done, 1 failed"
    assert f"- {markdown(run.run.name)} (failed, 2 attempts): the disk is full" in as_markdown(
        Path("many"), statuses
    )


def test_the_report_leads_to_what_each_run_has_to_show(statuses, tmp_path):
    first, second = (status.run.name for status in statuses[:2])
    folder = tmp_path / "many"
    (folder / first / "previews").mkdir(parents=True)
    (folder / first / "report.html").touch()
    (folder / first / "previews" / "comparison.png").touch()
    text = as_markdown(folder, statuses)
    assert f"| [{markdown(first)}]({first}/report.html) | done |" in text
    assert f"![{markdown(first)}]({first}/previews/comparison.png)" in text
    assert f"| {markdown(second)} | done |" in text
    assert f"({second}/" not in text


def test_an_error_is_text_in_the_report_not_markup(statuses):
    statuses[-1].take(
        Event(kind="ended", run=statuses[-1].run.name, attempt=1, outcome=Outcome(error="<b>|\x1b[31m`"))
    )
    assert r"\<b\>\|\\x1b\[31m\`" in as_markdown(Path("a[b]"), statuses)


def test_what_is_not_known_is_absent_from_the_data(statuses):
    data = json.loads(json.dumps(as_data(statuses)))
    done, waiting = data["runs"][0], data["runs"][-1]
    assert done["figures"]["student.test.psnr"] == 20.0
    assert not {"error"} & set(done)
    assert not {"error", "figures"} & set(waiting)
    assert (data["done"], data["waiting"]) == (7, 1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stage": "distill", "step": 30, "psnr": 21.5}\n'])
def test_the_last_line_of_the_metrics_is_shown_if_it_is_whole(statuses, text):
    run = statuses[-1]
    run.run.folder.mkdir(parents=True)
    (run.run.folder / "metrics.jsonl").write_text(text)
    assert run.latest().get("psnr") == (21.5 if "psnr" in text else None)
