"""The example plugin lives outside the core: run from source, installed with pip, and passing its own tests."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from command_line import NFCORE, environment

import nfcore

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[1] / "examples"
PLUGIN = EXAMPLES / "third_party_plugin"
BIN = Path(sys.executable).parent
TINY = [
    f"--set={change}"
    for change in (
        "image_size=16",
        "scene.train_views=4",
        "scene.val_views=0",
        "scene.test_views=2",
        "teach.steps=3",
        "distill.steps=4",
        "distill.views=4",
        "distill.batch=2",
        "distill.crop=4",
        "finetune.steps=2",
        "finetune.batch=2",
        "finetune.crop=4",
    )
] + ["--threads=1", "--quiet"]


def run(*command: str | Path, cwd: Path, path: Iterable[Path] = (), **environ: str) -> str:
    """Run a command as a person would and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment(path, **environ))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the plugin as pip installs it, from a copy: a build leaves files beside the sources."""
    folder = tmp_path_factory.mktemp("third-party")
    sources = shutil.copytree(
        PLUGIN, folder / "sources", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__", ".*")
    )
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--no-build-isolation", "--target", folder / "site", sources, cwd=folder)
    return folder / "site"


def test_the_installed_plugin_gives_its_recipe_its_teacher_and_its_encoding(installed, tmp_path):
    options = ["blobs", *TINY, "--export=", "--json"]
    summary = json.loads(run(*NFCORE, "run", *options, cwd=tmp_path, path=[installed]))
    assert {"teacher.test.psnr", "student.test.psnr"} <= set(summary)
    config = (tmp_path / "runs" / "blobs" / "config.toml").read_text()
    assert 'name = "blobs"' in config
    assert 'name = "plucker-fourier"' in config


def test_the_installed_plugin_passes_its_own_tests(installed):
    printed = run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
        cwd=PLUGIN, path=[installed], PYTHONDONTWRITEBYTECODE="1",
    )  # fmt: skip
    assert " passed" in printed
    assert "skipped" not in printed


def test_the_plugin_uses_nothing_but_the_public_surface_of_nfcore():
    for path in (PLUGIN / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0].startswith("nfcore"):
                assert node.module == "nfcore", path
                assert {alias.name for alias in node.names} <= set(nfcore.__all__), path
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names if alias.name.startswith("nfcore")}
                assert names <= {"nfcore"}, path


def test_the_composers_script_runs_recipes_that_mix_plugins_by_name(tmp_path):
    settings = {"RUNS": str(tmp_path / "runs"), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    printed = run("bash", EXAMPLES / "compose.sh", *TINY, cwd=tmp_path, **settings)
    assert "thin" in printed
    thin = json.loads((tmp_path / "runs" / "thin" / "summary.json").read_text())
    assert {name.split(".")[1] for name in thin if name.endswith(".bytes")} == {"desktop", "small"}
    mixed = tmp_path / "runs" / "mixed"
    assert "student.test.psnr" in json.loads((mixed / "summary.json").read_text())
    assert 'name = "plucker-fourier"' in (mixed / "config.toml").read_text()
