"""``nfcore compare``: what stands in one row was measured at one size on the same views."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import tiny_plugin

import nfcore
from nfcore.config.resolve import configure
from nfcore.config.schema import StudentConfig
from nfcore.evaluation.comparison import Compared, Comparison
from nfcore.evaluation.publications import read_tables
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Run
from nfcore.student.sizes import StudentSize, student_size

TABLES = read_tables(Path(tiny.__file__).with_name("tiny_tables.toml"))
QUALITY, DESIGN = TABLES.tables
FIGURES = {
    "scene": "ring",
    "image_size": 16,
    "protocol": "postcard",
    "test_views": 2,
    "student.test.psnr": 22.25,
    "student.parameters": 1234,
}


def run(manager, name="mine", changes=(), **figures) -> Compared:
    figures = {key.replace("__", "."): value for key, value in figures.items()}
    return Compared(name, FIGURES | figures, configure("tiny", manager, changes=changes))


def entries(manager, table, *runs):
    return Comparison("postcard", TABLES, runs, manager).entries(table)


def test_without_runs_there_are_the_published_rows_with_blanks(manager):
    ring, square, mean = entries(manager, QUALITY)
    assert (ring.name, ring.published, ring.run, ring.ours) == ("Ring", {"A": 20.0, "B": 21.5}, None, {})
    assert square.published == {"A": 30.0}
    assert mean.published == {"A": 25.0}


def test_a_run_of_the_same_size_and_protocol_stands_in_the_published_row(manager):
    ring, *others = entries(manager, QUALITY, run(manager))
    assert (ring.published, ring.run, ring.ours) == ({"A": 20.0, "B": 21.5}, "mine", {"ours": 22.25})
    assert [other.run for other in others] == [None, None]


def test_two_such_runs_have_a_row_each(manager):
    first, second, *_ = entries(manager, QUALITY, run(manager), run(manager, "other", student__test__psnr=23.0))
    assert [(e.run, e.ours["ours"]) for e in (first, second)] == [("mine", 22.25), ("other", 23.0)]
    assert first.published == second.published != {}


@pytest.mark.parametrize(
    "figures",
    [
        {"image_size": 32},
        {"protocol": "all", "test_views": 5},
        {"protocol": "other", "test_views": 2},
    ],
)
def test_a_run_of_another_size_or_protocol_has_a_row_of_its_own_that_says_which(manager, figures):
    published, own, *_ = entries(manager, QUALITY, run(manager, **figures))
    assert (published.run, published.published, published.ours) == (None, {"A": 20.0, "B": 21.5}, {})
    assert (own.name, own.run, own.published, own.ours) == ("Ring", "mine", {}, {"ours": 22.25})
    expected = FIGURES | figures
    assert (own.image_size, own.protocol, own.test_views) == tuple(
        expected[key] for key in ("image_size", "protocol", "test_views")
    )


def test_all_views_of_a_split_as_small_as_the_publications_are_the_same_views(manager):
    ring, *_ = entries(manager, QUALITY, run(manager, protocol="all", test_views=2))
    assert (ring.run, ring.published) == ("mine", {"A": 20.0, "B": 21.5})


def test_a_run_from_before_protocols_is_never_an_equal(manager):
    old = run(manager)
    figures = {key: value for key, value in old.figures.items() if key not in ("protocol", "test_views")}
    published, own, *_ = entries(manager, QUALITY, Compared("old", figures, old.config))
    assert published.run is None
    assert (own.run, own.protocol, own.test_views, own.published) == ("old", "all", None, {})


def test_a_run_of_another_scene_is_in_no_row(manager):
    assert not [e for e in entries(manager, QUALITY, run(manager, scene="cube")) if e.run]


def test_the_mean_is_of_runs_that_differ_in_the_scene_alone(manager):
    ring = run(manager)
    square = run(manager, "second", scene="square", student__test__psnr=24.25)
    *_, mean = entries(manager, QUALITY, ring, square)
    assert (mean.run, mean.published, mean.ours) == ("mean of 2 runs", {"A": 25.0}, {"ours": 23.25})
    for other in (
        run(manager, "second", scene="square", image_size=32),
        run(manager, "second", scene="square", protocol="all", test_views=5),
        run(manager, "second", changes=["seed=1"], scene="square"),
        run(manager, "second", changes=["student.backbone.width=4"], scene="square"),
    ):
        *_, mean = entries(manager, QUALITY, ring, other)
        assert (mean.run, mean.ours) == (None, {})


def test_a_design_is_recognised_by_its_parts_and_options_not_by_a_name(manager):
    own = run(manager, changes=["student.backbone.norm=false", "distill.steps=7"])  # norm is off by default
    other = run(manager, "other", changes=["student.backbone.width=4"])
    published, mine, *rest = entries(manager, DESIGN, own, other)
    assert (published.run, published.published) == (None, {"PSNR": 19.5, "ms": "error"})
    assert (mine.run, mine.published, mine.ours) == ("mine", {}, {"k parameters": 1.234, "our PSNR": 22.25})
    assert [(e.name, e.run) for e in rest] == [("lost", None)]


def test_a_designs_size_is_known_without_a_run(manager):
    published, lost = entries(manager, DESIGN)
    student = tiny.student()
    assert published.ours == {"k parameters": sum(p.numel() for p in student.parameters()) / 1000}
    assert lost.ours == {}


# -- on the command line -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sizes_once():
    """Students of a table are built to be counted, which takes seconds: once for all tests."""
    known: dict[tuple[object, ...], StudentSize] = {}

    def size(student: StudentConfig, manager: PluginManager, *pixels: int) -> StudentSize:
        key = (student.model_dump_json(), *pixels)
        if key not in known:
            known[key] = student_size(student, manager, *pixels)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nfcore.evaluation.comparison.student_size", size)
        yield


@pytest.fixture
def lego(tmp_path, manager):
    """The folder of a run that says it was scored on lego as MobileR2L was."""
    folder = tmp_path / "runs" / "lego-run"
    Run.create(folder, configure("tiny", manager), resume=False)
    figures = FIGURES | {"scene": "lego", "image_size": 800, "protocol": "mobiler2l", "test_views": 25}
    (folder / "summary.json").write_text(json.dumps(figures | {"export.coreml.bytes": 8_700_000}))
    return folder


def test_markdown_has_the_papers_row_with_the_run_in_it(command, lego, sizes_once, tmp_path):
    shown = command("compare", "lego-run", "--paper", "--markdown", cwd=tmp_path).stdout
    (row,) = [
        line for line in shown.splitlines() if line.startswith("| Lego | lego-run | 800 | 25 (mobiler2l) | 32")
    ]
    assert row == "| Lego | lego-run | 800 | 25 (mobiler2l) | 32.54 | 31.80 | 32.18 |  | 22.25 |  |"
    assert "| Chair |  | 800 | (mobiler2l) | 33.00 | 33.31 | 33.66 |  |  |  |" in shown
    assert "| Synthetic-360 | lego-run (lego) | 800 | 25 (mobiler2l) | 125.8 | 86.8 | 8.3 | 8.7 |  |" in shown


def test_json_has_the_numbers(command, lego, sizes_once, tmp_path):
    (mobiler2l,) = json.loads(command("compare", "lego-run", "--paper", "--json", cwd=tmp_path).stdout)
    assert mobiler2l["protocol"] == {"test_views": 25}
    tables = {table["name"]: table for table in mobiler2l["tables"]}
    assert {"psnr-360", "psnr-forward-facing", "storage", "network-design", "input-size"} <= set(tables)
    row = next(row for row in tables["psnr-360"]["rows"] if row["run"])
    assert (row["published"]["MobileR2L"], row["ours"]) == (32.18, {"our student": 22.25})


def test_without_the_paper_runs_stand_side_by_side(command, lego, tmp_path):
    shown = command("compare", "lego-run", "runs/lego-run", "--markdown", cwd=tmp_path).stdout.splitlines()
    assert shown[0].startswith("| run | scene | pixels | test views | teacher PSNR |")
    row = "| lego-run | lego | 800 | 25 (mobiler2l) |  |  | 22.25 |  |  | 0.001 |  |  |  |"
    assert shown[2] == shown[3] == row
    assert "22.25" in command("compare", "lego-run", cwd=tmp_path).stdout
    (figures,) = json.loads(command("compare", "lego-run", "--json", cwd=tmp_path).stdout)
    assert (figures["run"], figures["student.test.psnr"]) == ("lego-run", 22.25)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to compare"),
        (["none"], "none: no run here"),
        (["runs/begun"], "no stage of this run is finished"),
    ],
)
def test_what_can_not_be_compared_is_a_users_error(command, tmp_path, manager, arguments, said):
    Run.create(tmp_path / "runs" / "begun", configure("tiny", manager), resume=False)
    done = command("compare", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_publication_that_can_not_be_read_costs_the_others_nothing(command, tmp_path, monkeypatch):
    class Plugin:
        @staticmethod
        @nfcore.hookimpl
        def nfcore_publications():
            yield nfcore.Publication("leaflet", tmp_path / "lost.toml")

    shown = PluginManager([tiny.source(Plugin, "leaflet-dist"), tiny.source(tiny_plugin)])
    monkeypatch.setattr("nfcore.cli.compare.plugins", lambda: shown)
    done = command("compare", "--paper", "--markdown", cwd=tmp_path)
    assert done.returncode == 0
    assert "| Square |  | 16 | (postcard) | 30.00 |  |  |  |" in done.stdout
    assert done.stderr.startswith("nfcore: the tables of leaflet-dist 1.0 can't be read: ")
