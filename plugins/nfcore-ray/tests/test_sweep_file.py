"""A sweep file is checked as a whole before any work is done."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nfcore.errors import NfcoreError, UserError
from nfcore.plugin.installed import plugins
from nfcore_ray.plan import plan
from nfcore_ray.sweep_file import Entry, Resources, SweepFile, checked_address, read_sweep

ROOT = Path(__file__).parents[3]


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "many.toml"
        path.write_text(text)
        return path

    return write


def names(sweep: SweepFile) -> list[str]:
    return [entry.folder for entry in sweep.entries]


def test_the_runs_are_all_combinations_and_those_that_are_named(written):
    sweep = read_sweep(
        written(
            """
            recipes = ["quickstart", "recipes/thin.toml"]
            scenes = ["blender:data/lego", "nfcore-scenes/procedural"]
            seeds = [3]
            variants = { plain = [], wide = ["student.width=64"] }
            [[run]]
            recipe = "nfcore-mobiler2l/mobiler2l"
            [[run]]
            name = "by-hand"
            recipe = "quickstart"
            """
        )
    )
    assert names(sweep) == [
        "quickstart-lego-plain-seed3",
        "quickstart-lego-wide-seed3",
        "quickstart-procedural-plain-seed3",
        "quickstart-procedural-wide-seed3",
        "thin-lego-plain-seed3",
        "thin-lego-wide-seed3",
        "thin-procedural-plain-seed3",
        "thin-procedural-wide-seed3",
        "mobiler2l",
        "by-hand",
    ]


def test_changes_apply_to_all_runs_then_to_a_variant_then_to_the_seed(written, tmp_path):
    file = written(
        """
        recipes = ["quickstart"]
        seeds = [5]
        set = ["student.width=24", "teach.steps=7", "seed=4"]
        variants = { wide = ["student.width=64"] }
        """
    )
    (run,) = plan(read_sweep(file), file, tmp_path, plugins())
    assert run.config.student.backbone.options["width"] == 64
    assert (run.config.teach.steps, run.config.seed) == (7, 5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recipes = [", "not valid TOML"),
        ("recipe = ['quickstart']", "unknown option 'recipe'; did you mean 'recipes'"),
        ("", "no runs: add recipes"),
        ("seeds = [1, 2]", "seeds and variants are for recipes"),
        ("recipes = ['quickstart', 'quickstart']", "more than one run is called 'quickstart'"),
        ("recipes = ['quickstart']\nseeds = ['one']", "seeds.0"),
        ("recipes = ['quickstart']\nresources = { cpus = 0 }", "resources.cpus"),
        (
            "recipes = ['quickstart']\nresources = { gpus = 1.5 }",
            "resources.gpus: Above 1",
        ),
        ("recipes = ['quickstart']\nvariants = { 'a/b' = [] }", "variants"),
        ("[[run]]\nrecipe = 'quickstart'\nname = '../elsewhere'", "run.0.name"),
        ("recipes = ['quickstat']", "quickstat: unknown recipe 'quickstat'; did you mean 'quickstart'"),
        ("recipes = ['quickstart']\nscenes = ['blunder:x']", "unknown ray source 'blunder'"),
        ("recipes = ['quickstart']\nscenes = ['blender:nowhere']", "nowhere: no such file or folder"),
        ("recipes = ['quickstart']\nset = ['student.wdth=3']", "no part of the student has an option 'wdth'"),
        ("recipes = ['quickstart']\nset = ['device=cuda']", "resources.gpus is 0"),
        ("recipes = ['quickstart']\naddress = 'ray://head:10001'", "write HOST:PORT"),
    ],
)
def test_a_mistake_is_one_line_and_no_work_is_done(text, says, sweep_here, tmp_path):
    done = sweep_here(text)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("nfcore: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr.replace(": did you mean", "; did you mean")
    assert not (tmp_path / "runs").exists()


def test_a_missing_file_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_sweep(tmp_path / "none.toml")


def test_a_folder_that_holds_another_run_is_a_mistake(written, tmp_path):
    from nfcore.runs import Run

    file = written("recipes = ['quickstart']")
    (run,) = plan(read_sweep(file), file, tmp_path, plugins())
    Run.create(run.folder, run.config.model_copy(update={"seed": 9}), resume=False)
    with pytest.raises(UserError, match=r"many\.toml: quickstart: .* holds a run with another seed"):
        plan(read_sweep(file), file, tmp_path, plugins())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_sweep_or_a_mistake(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("sweep") / "any.toml"
    path.write_bytes(data)
    with pytest.raises(NfcoreError):
        read_sweep(path)


def test_a_dry_run_lists_the_runs_and_begins_none(sweep_here, tmp_path):
    done = sweep_here("recipes = ['quickstart']\nseeds = [1, 2]", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert [run["name"] for run in data["runs"]] == ["quickstart-seed1", "quickstart-seed2"]
    assert data["waiting"] == 2
    assert not (tmp_path / "runs").exists()


def test_a_sweep_of_a_million_runs_is_listed_from_its_beginning_and_not_executed(sweep_here, tmp_path):
    seeds = ",".join(map(str, range(1000)))
    variants = ",".join(f"v{i}=['seed={i}']" for i in range(1000))
    text = f"recipes = ['quickstart']\nseeds = [{seeds}]\nvariants = {{ {variants} }}"
    done = sweep_here(text, "--dry-run", "--json")
    listed = json.loads(done.stdout)
    assert len(listed["runs"]) + listed["left_out"] == 10**6
    refused = sweep_here(text)
    assert refused.returncode == 2
    assert "1,000,000 runs" in refused.stderr


def test_an_address_may_be_absent_or_say_that_ray_is_to_be_started_here():
    assert checked_address(None) is None
    assert checked_address("local") is None
    assert checked_address("head:6379") == "head:6379"


def test_the_example_is_a_sweep_of_runs_that_can_be_done(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    file = Path("examples/sweep.toml")
    assert len(plan(read_sweep(file), file, tmp_path, plugins())) > 3


@pytest.mark.parametrize("model", [SweepFile, Entry, Resources])
def test_each_option_of_the_file_is_described_and_in_the_documentation(model):
    page = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")
    for name, field in model.model_fields.items():
        assert field.description
        assert re.search(rf"^\| `{name}` \| {re.escape(field.description)}", page, re.MULTILINE), name


@pytest.mark.slow
def test_the_plugin_loads_without_torch_and_ray():
    code = "import sys, nfcore_ray.cli; assert not {'torch', 'ray', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
