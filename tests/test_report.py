"""A run's report: one file that says all there is to know of the run, and needs nothing else."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import tiny
import torch
from reported import STAGES, Page, begin

from nfcore import UserError
from nfcore.config.resolve import configure_with_sources
from nfcore.evaluation.error_maps import error_map
from nfcore.evaluation.per_view_scores import ViewScore, read_view_scores
from nfcore.report import build_page
from nfcore.report.curves import PSNR, curves
from nfcore.report.figures import duration
from nfcore.report.pictures import chosen_views
from nfcore.runs import Artifacts, Run, Scheduler, provenance, read_reports, write_report
from nfcore.runs.provenance import command_line
from nfcore.runs.report import gather
from nfcore.ui.console import Console

pytestmark = pytest.mark.slow


@pytest.fixture
def run(finished, tmp_path) -> Artifacts:
    """A finished run of one's own."""
    shutil.copytree(finished, tmp_path / "tiny")
    return Artifacts(Run(tmp_path / "tiny"), tiny.manager())


# -- what stands in it -----------------------------------------------------------------------------


def test_it_says_how_the_run_was_made_and_how_good_it_is(run):
    html = write_report(run).read_text()
    texts = Page(html).texts
    summary = run.run.summary()
    for said in (
        "tiny",
        "a & b",
        "scene ring",
        "5 test views",
        f"{summary['student.test.psnr']:.2f}",
        f"{summary['teacher.test.ssim']:.4f}",
        "nfcore run tiny --set scene.test=5 --set 'summary=a & b'",
        "elsewhere",
    ):
        assert said in texts, said
    assert "it takes a telephone" in html  # why an export was not verified


def test_its_recipe_makes_the_same_run(run, tmp_path):
    recipe = Page(write_report(run).read_text()).texts
    (text,) = [text for text in recipe if "[teach]" in text]
    (tmp_path / "mine.toml").write_text(text)
    assert configure_with_sources(str(tmp_path / "mine.toml"), run.components).config == run.config


def test_the_worst_views_come_first(run):
    contents = gather(run)
    scores = {row.view: row.scores["student.test.psnr"] for row in read_view_scores(run.run.view_scores_file)}
    ranked = sorted(scores, key=scores.__getitem__)
    assert [row[0] for row in contents.scores.rows] == ranked
    assert [view.name for view in contents.views] == [ranked[0], ranked[1], ranked[2], ranked[4]]
    for view in contents.views:
        assert view.psnr["Student"] == pytest.approx(scores[view.name], abs=1e-3)


@pytest.mark.parametrize(
    ("psnr", "chosen"),
    [
        ([], [("Test view", 0), ("Test view", 1), ("Test view", 2), ("Test view", 3)]),
        ([9.0], [("Best view", 4)]),
        ([9.0, 7.0], [("Worst view", 3), ("Best view", 4)]),
        ([9.0, 7.0, 8.0], [("Worst view", 3), ("Median view", 2), ("Best view", 4)]),
        (
            [9.0, 5.0, 6.0, 7.0, 8.0],
            [("Worst view", 3), ("Second worst view", 2), ("Median view", 1), ("Best view", 4)],
        ),
    ],
)
def test_a_view_is_shown_once_however_few_there_are(psnr, chosen):
    rows = [ViewScore(view="", index=4 - i, scores={"student.test.psnr": value}) for i, value in enumerate(psnr)]
    assert chosen_views(rows, 5) == chosen


def test_pictures_are_what_they_are_said_to_be(run):
    import base64
    import io

    from PIL import Image

    view = gather(run).views[0]
    index = {row.view: row.index for row in read_view_scores(run.run.view_scores_file)}[view.name]
    assert [p.shows for p in view.pictures] == ["photo", "teacher", "student", "teacher-error", "student-error"]
    files = [base64.b64decode(p.source.partition(",")[2]) for p in view.pictures]
    pictures = [
        torch.tensor(list(Image.open(io.BytesIO(f)).convert("RGB").tobytes())).reshape(16, 16, 3) for f in files
    ]
    views = run.source.views("test")
    student = run.student.render(views.cameras[index])[0].permute(1, 2, 0)
    assert torch.equal(pictures[0], (views.images[index] * 255).round().long())
    assert torch.equal(pictures[2], (student * 255).round().long())
    assert torch.equal(pictures[4], torch.from_numpy(error_map(student, views.images[index])).long())


def test_the_error_map_goes_from_black_to_light():
    truth = torch.zeros(1, 3, 3)
    image = torch.tensor([0.0, 0.125, 1.0])[None, :, None].expand(1, 3, 3)
    colours = error_map(image, truth)[0].astype(int)
    assert 0 < colours[0].sum() < 10 < colours[1].sum() < colours[2].sum()
    assert colours[2].tolist() == [252, 253, 191]


def test_a_run_is_reported_at_every_stage_and_says_what_is_not_there_yet(tmp_path):
    run = begin(tmp_path / "tiny")
    pictures = []
    for stage in (None, *STAGES):
        if stage:
            Scheduler(run, Console(quiet=True)).do(stage)
        contents = gather(run)
        page = Page(build_page(contents))
        states = {state.name: state.finished for state in contents.states}
        assert states == {name: stage is not None and STAGES.index(name) <= STAGES.index(stage) for name in STAGES}
        assert ("nfcore evaluate tiny" in page.texts) != states["evaluate"]
        pictures.append({img["data-shows"] for img in page.all("img")})
    teacher = {"photo", "teacher", "teacher-error"}
    assert pictures == [set(), teacher, teacher, *[teacher | {"student", "student-error"}] * 4]


def test_a_report_without_the_photos_says_so_and_has_the_rest(run, monkeypatch):
    def gone(*arguments):
        raise UserError("lego: no such folder")

    monkeypatch.setattr("nfcore.runs.artifacts.open_scene", gone)
    contents = gather(Artifacts(run.run, run.components))
    assert contents.views == ()
    assert "lego: no such folder" in build_page(contents)
    assert contents.quality and contents.scores and contents.exports


def test_a_run_of_an_older_nfcore_is_reported_without_what_it_did_not_keep(run):
    for name in ("provenance.json", "views.json", "metrics.jsonl"):
        (run.run.folder / name).unlink()
    texts = " ".join(Page(build_page(gather(run))).texts)
    assert "no record of the sources of its settings" in texts
    assert "no record of its command" in texts
    assert "No training stage has reported anything yet" in texts


def test_curves_leave_out_torn_lines_and_what_is_no_number(tmp_path):
    rows = [{"stage": "distill", "step": step, "psnr": 11.0 + 7919 * step % 101} for step in range(1, 1001)]
    lines = [json.dumps(row) for row in rows]
    lines[5:5] = ['{"stage": "distill", "step": 5, "psnr": NaN}', "nonsense", "[1]", '{"step": "a"}']
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"stage": "dist']))
    (curve,) = curves(read_reports(tmp_path / "metrics.jsonl"), PSNR)
    assert curve.words == "from 52 to 106 in 1000 steps"
    path = max(re.findall(r'd="(M [^"]*)"', curve.svg), key=len)
    assert 100 < path.count("L") <= 300, "as many points as a screen shows"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.3, "0.3 s"),
        (42, "42 s"),
        (59.7, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.8, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_times_are_said_as_people_say_them(seconds, said):
    assert duration(seconds) == said


# -- it is one file, and nothing in it can act -----------------------------------------------------


def test_it_needs_no_other_file_and_no_network(run):
    page = Page(write_report(run).read_text())
    addresses = [
        value for _, attributes in page.elements for key in ("src", "href") if (value := attributes.get(key))
    ]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert policy.startswith("default-src 'none';")


def test_what_a_run_says_is_text_and_nothing_else(run):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    opened = run.run
    opened.set_config(opened.config.model_copy(update={"summary": evil}))
    (opened.folder / "views.json").write_text(
        (opened.folder / "views.json").read_text().replace("test0", evil.replace('"', ""))
    )
    provenance.keep(opened, {"seed": evil}, run.components, command_line(["run", evil]))
    log = opened.folder / "metrics.jsonl"
    log.write_text(log.read_text() + json.dumps({"stage": evil, "step": 1, "psnr": 3.0}) + "\n")
    results = opened.finished
    results["teach"]["scene"] = evil
    (opened.folder / "state" / "results.json").write_text(json.dumps(results))
    before = Page(write_report(Artifacts(Run(opened.folder), run.components)).read_text())
    assert len(before.all("script")) == 1
    assert not [img for img in before.all("img") if not img["src"].startswith("data:")]
    assert not [key for _, attributes in before.elements for key in attributes if key.startswith("on")]


def test_no_two_elements_have_one_name(run):
    names = [
        attributes["id"] for _, attributes in Page(write_report(run).read_text()).elements if "id" in attributes
    ]
    assert len(names) == len(set(names))
