"""A run's report: one file that says all there is to know of the run, and needs nothing else."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
import tiny
import torch

from nfcore import UserError
from nfcore.config.resolve import configure_with_sources
from nfcore.config.schema import PipelineConfig
from nfcore.config.stages import STAGES as ALL_STAGES
from nfcore.evaluation.error_maps import error_map
from nfcore.evaluation.per_view_scores import ViewScore, read_view_scores
from nfcore.report import build_page
from nfcore.report.curves import PSNR, curves, read_metrics
from nfcore.report.figures import duration
from nfcore.report.pictures import chosen_views
from nfcore.report.settings import groups
from nfcore.runs import Artifacts, Run, Scheduler, provenance, write_report
from nfcore.runs.provenance import Provenance, command_line
from nfcore.runs.report import gather
from nfcore.testing.browser import accessibility_violations
from nfcore.ui.console import Console

AXE = Path(__file__).parents[1] / "plugins" / "nfcore-web" / "tests" / "axe.min.js"
COMMAND = ["run", "tiny", "--set", "scene.test=5", "--set", "summary=a & b"]
STAGES = ("teach", "distill", "finetune", "evaluate", "render", "export")


class Page(HTMLParser):
    """What a browser makes of a page, as far as these tests ask: elements with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def begin(folder: Path) -> Artifacts:
    """A new run of the tiny pipeline, as the command line begins it."""
    manager = tiny.manager()
    changes = [change for change in COMMAND if "=" in change]
    configured = configure_with_sources("tiny", manager, changes=changes)
    run = Run.create(folder, configured.config, resume=False)
    provenance.keep(run, configured.sources, manager, command_line(COMMAND))
    return Artifacts(run, manager)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    run = begin(tmp_path_factory.mktemp("runs") / "tiny")
    for stage in ALL_STAGES:
        Scheduler(run, Console(quiet=True)).do(stage)
    return run.run.folder


@pytest.fixture
def run(finished, tmp_path) -> Artifacts:
    """A finished run of one's own."""
    shutil.copytree(finished, tmp_path / "tiny")
    return Artifacts(Run(tmp_path / "tiny"), tiny.manager())


# -- what a run keeps for it ---------------------------------------------------------------------------


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
    assert command.versions["torch"] == torch.__version__
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


# -- where a value came from ----------------------------------------------------------------------------


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


# -- what stands in it ------------------------------------------------------------------------------------


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
    assert "This run does not know what gave each setting its value" in texts
    assert "The run does not know its command" in texts
    assert "No training stage has reported anything yet" in texts


def test_curves_leave_out_torn_lines_and_what_is_no_number(tmp_path):
    rows = [{"stage": "distill", "step": step, "psnr": 11.0 + 7919 * step % 101} for step in range(1, 1001)]
    lines = [json.dumps(row) for row in rows]
    lines[5:5] = ['{"stage": "distill", "step": 5, "psnr": NaN}', "nonsense", "[1]", '{"step": "a"}']
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"stage": "dist']))
    (curve,) = curves(read_metrics(tmp_path / "metrics.jsonl"), PSNR)
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


# -- it is one file, and nothing in it can act ---------------------------------------------------------------


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


# -- in a browser ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(run, opened, scheme, width):
    page = opened(write_report(run), color_scheme=scheme, viewport={"width": width, "height": 800})
    for summary in page.locator("summary").all():
        summary.click()
    page.check("#defaults")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert accessibility_violations(page, AXE) == []
    assert [url for url in page.asked if not url.startswith("data:")] == [page.url]


def test_the_line_is_moved_by_keys_and_pictures_are_chosen(run, opened):
    page = opened(write_report(run))
    view = page.locator(".view").first
    line = view.locator("input")
    line.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert line.get_attribute("aria-valuetext") == "55%"
    assert view.locator(".pair").evaluate("pair => pair.style.getPropertyValue('--at')") == "55%"

    def shown() -> dict[str, bool]:
        pictures = view.locator("img").all()
        visible = [picture for picture in pictures if picture.is_visible()]
        return {p.get_attribute("data-shows"): "over" in (p.get_attribute("class") or "") for p in visible}

    assert shown() == {"photo": False, "student": True}
    view.locator("select.left").select_option("teacher")
    view.locator("select.right").select_option("student-error")
    assert shown() == {"teacher": False, "student-error": True}
    view.locator("select.left").select_option("student-error")
    assert shown() == {"student-error": False}


def test_defaults_are_shown_when_asked_for(run, opened):
    page = opened(write_report(run))
    row = page.locator("#groups tr", has_text="device")
    assert not row.is_visible()
    page.check("#defaults")
    assert row.is_visible()


# -- the command ------------------------------------------------------------------------------------------------


def test_the_command_writes_it_where_it_is_told(finished, command, monkeypatch, tmp_path):
    monkeypatch.setattr("nfcore.plugin.installed._make", lambda folders: tiny.manager())
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    done = command("report", finished, "--out", tmp_path / "mine.html", "--open", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"report: {tmp_path / 'mine.html'}\n"), done.stderr
    assert opened == [(tmp_path / "mine.html").as_uri()]
    assert not (finished / "report.html").exists()


def test_no_run_is_the_users_mistake(command, tmp_path):
    done = command("report", "nothing", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no run here" in done.stderr


def test_a_run_ends_with_its_report_and_the_table_says_where_it_is(command, monkeypatch, tmp_path):
    monkeypatch.setattr("nfcore.plugin.installed._make", lambda folders: tiny.manager())
    done = command("run", "tiny", "--name", "a", "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "report: runs/a/report.html" in done.stdout
    assert "nfcore run tiny --name a --quiet" in (tmp_path / "runs" / "a" / "report.html").read_text()


def test_a_report_that_fails_fails_no_run(command, monkeypatch, tmp_path):
    monkeypatch.setattr("nfcore.plugin.installed._make", lambda folders: tiny.manager())
    monkeypatch.setattr("nfcore.runs.report.gather", lambda artifacts: 1 / 0)
    done = command("run", "tiny", "--name", "b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no report: ZeroDivisionError: division by zero" in done.stderr
    assert not (tmp_path / "runs" / "b" / "report.html").exists()
