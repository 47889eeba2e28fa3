"""What ``nfcore plugins new`` writes works as it is: it installs, keeps its contract and runs in a pipeline."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment

from nfcore.plugin.components import KINDS
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.scaffold import write_plugin

pytestmark = pytest.mark.slow
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


def test_installed_they_are_listed_without_torch(site):
    code = (
        "import sys, nfcore; offered = [c.name for _, c in nfcore.plugins().components()];"
        f"assert set({list(NAMES.values())}) <= set(offered), offered; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=environment([site]), timeout=60)


@pytest.mark.parametrize("kind", KINDS)
def test_check_finds_that_it_keeps_its_contract(written, command, tmp_path, kind):
    done = command("plugins", "check", written / NAMES[kind], cwd=tmp_path)
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


def test_all_seven_run_together_in_a_pipeline_from_source(written, command, tmp_path):
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
    done = command("--plugins-dir", written, "run", "quickstart", *options, *quiet, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["scene"] == NAMES["ray_source"]
    # An image of the photos' mean colour has 10.0 dB, a white one 8.0.
    assert summary["teacher.test.psnr"] > 15
    assert summary["student.test.psnr"] > 12
    assert summary[f"export.{NAMES['exporter']}.psnr_vs_torch"] > 90
    assert (tmp_path / "runs" / "quickstart" / "exports" / NAMES["exporter"] / "light_field.pt2").is_file()
