"""What ``nfcore plugins new`` writes works as it is: it installs, keeps its contract and runs in a pipeline."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import environment, nfcore

from nfcore import Component, UserError
from nfcore.plugin.components import KINDS
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.scaffold import write_plugin

ROOT = Path(__file__).parents[1]
NAMES = {kind: f"fresh-{kind.replace('_', '-')}" for kind in KINDS}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A folder with a new plugin of each kind."""
    folder = tmp_path_factory.mktemp("scaffold")
    for kind, name in NAMES.items():
        write_plugin(name, kind, folder, PluginManager(()))
    return folder


@pytest.fixture(scope="module")
def site(written, tmp_path_factory) -> Path:
    """The folder that pip has installed them into."""
    folder = tmp_path_factory.mktemp("site")
    offline = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index"]
    projects = [written / name for name in NAMES.values()]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", folder, *projects]
    subprocess.run(command, check=True, timeout=120)
    return folder


# -- what is written ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_has_all_that_a_distribution_needs(written, kind):
    folder = written / NAMES[kind]
    package = NAMES[kind].replace("-", "_")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        ".gitignore",
        ".github/workflows/test.yml",
        f"src/{package}/__init__.py",
        f"src/{package}/{kind}.py",
        f"src/{package}/py.typed",
        f"tests/test_{kind}.py",
    } == {name for name in files if "build/" not in name and "egg-info" not in name}
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["nfcore"] == {NAMES[kind]: package}
    assert "$" not in "".join(path.read_text() for path in folder.rglob("*.py"))
    assert "${{ matrix.python }}" in (folder / ".github/workflows/test.yml").read_text()


def test_what_is_written_is_as_tidy_as_the_core(written):
    for command in (["check", "--ignore", "D1"], ["format", "--check"]):
        ruff = [
            sys.executable,
            "-m",
            "ruff",
            *command,
            "--quiet",
            "--no-cache",
            "--config",
            ROOT / "pyproject.toml",
        ]
        done = subprocess.run([*ruff, written], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("My_Plugin", "encoding", "lower case, words joined by dashes, such as my-encoding"),
        ("2fast", "encoding", "lower case"),
        ("../up", "encoding", "lower case"),
        ("class", "encoding", "a word of Python"),
        ("json", "encoding", "Python has a module 'json' already"),
        ("nfcore-onnx", "exporter", "nfcore-onnx 0.1.0 is installed already"),
        ("fresh", "encodign", "unknown kind 'encodign'; did you mean 'encoding'"),
        ("taken", "teacher", "some-dist 1.0 has a teacher 'taken' already"),
    ],
)
def test_a_name_that_can_not_be_had_is_refused_before_anything_is_written(tmp_path, name, kind, said):
    from test_manager import offering
    from tiny import source

    plugin = offering(Component("teacher", "taken", "tiny:Sky", level=2))
    with pytest.raises(UserError, match=said):
        write_plugin(name, kind, tmp_path / "out", PluginManager([source(plugin, "some-dist")]))
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "fresh").mkdir()
    with pytest.raises(UserError, match="fresh: exists already"):
        write_plugin("fresh", "encoding", tmp_path, PluginManager(()))
    assert not list((tmp_path / "fresh").iterdir())


def test_a_class_does_not_hide_what_the_templates_import(tmp_path):
    made = write_plugin("rays", "teacher", tmp_path, PluginManager(()))
    assert "class RaysTeacher(nfcore.Teacher)" in (made.folder / "src/rays/teacher.py").read_text()


def test_the_command_says_what_it_wrote_and_how_to_go_on(command, tmp_path):
    done = command("plugins", "new", "nfcore-fresh", "--kind", "upsampler", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nfcore --plugins-dir nfcore-fresh run quickstart --set student.upsampler=fresh" in done.stdout
    assert (tmp_path / "nfcore-fresh" / "src" / "nfcore_fresh" / "upsampler.py").is_file()
    again = command("plugins", "new", "nfcore-fresh", "--kind", "upsampler", cwd=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    told = command("plugins", "new", "other", "--kind", "encoding", "--out", "here", "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["component"] == "other"


# -- what it does ------------------------------------------------------------------------------------


def test_installed_they_are_listed_without_torch(site):
    code = (
        "import sys, nfcore; offered = [c.name for _, c in nfcore.plugins().components()];"
        f"assert set({list(NAMES.values())}) <= set(offered), offered; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment([site]), timeout=60)


@pytest.mark.parametrize("kind", KINDS)
def test_check_finds_that_it_keeps_its_contract(written, kind):
    done = nfcore("plugins", "check", written / NAMES[kind])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{kind} {NAMES[kind]}/{NAMES[kind]}: " in done.stdout
    assert " passed" in done.stdout


def test_the_tests_of_what_only_they_promise_pass(written, site):
    folders = [written / name / "tests" for name in NAMES.values()]
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-W",
        "error",
        "-k",
        "not TestFresh",
    ]
    environ = environment([site], OMP_WAIT_POLICY="PASSIVE")
    command = [sys.executable, "-m", "pytest", *options, *folders]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=written, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout


def test_all_seven_run_together_in_a_pipeline_from_source(written, tmp_path):
    options = [
        *("--scene", NAMES["ray_source"], "--teacher", NAMES["teacher"], "--export", NAMES["exporter"]),
        *(
            word
            for part in ("encoding", "backbone", "upsampler")
            for word in ("--set", f"student.{part}={NAMES[part]}")
        ),
        *("--set", f"distill.loss={NAMES['loss']}"),
        *(
            word
            for change in (
                "image_size=16",
                "scene.train_views=8",
                "scene.test_views=2",
                "teacher.resolution=16",
                "student.backbone.width=16",
                "teach.steps=60",
                "distill.steps=150",
                "distill.views=4",
                "distill.first_views=4",
                "distill.crop=4",
                "finetune.steps=4",
                "finetune.crop=4",
            )
            for word in ("--set", change)
        ),
    ]
    quiet = ["--threads", "1", "--quiet", "--json", "--runs", tmp_path / "runs"]
    done = nfcore("--plugins-dir", written, "run", "quickstart", *options, *quiet)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["scene"] == NAMES["ray_source"]
    # An image of the photos' mean colour has 10.0 dB, a white one 8.0.
    assert summary["teacher.test.psnr"] > 15
    assert summary["student.test.psnr"] > 12
    assert summary[f"export.{NAMES['exporter']}.psnr_vs_torch"] > 90
    assert (tmp_path / "runs" / "quickstart" / "exports" / NAMES["exporter"] / "light_field.pt2").is_file()
