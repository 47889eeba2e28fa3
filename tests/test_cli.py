"""The command line in this process: it finds what is meant, and answers a mistake in a line or two."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest
from command_line import assert_fails

from nfcore.cli import main, run_folder


def test_the_script_nfcore_is_this_command_line():
    (script,) = entry_points(group="console_scripts", name="nfcore")
    assert script.load() is main


def test_a_shown_recipe_is_a_recipe_file(command, tmp_path):
    (tmp_path / "mine.toml").write_text(command("recipes", "show", "quickstart", cwd=tmp_path).stdout)
    done = command("run", "mine.toml", "--set", "student.deph=3", cwd=tmp_path)
    assert_fails(done, 2, "did you mean 'depth'?")  # read and understood, but for the mistake


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "quickstrat"], ["unknown recipe 'quickstrat'", "did you mean 'quickstart'?"]),
        (["run", "none.toml"], ["none.toml: no such file"]),
        (["run", "quickstart", "--teacher", "voxel"], ["unknown teacher 'voxel'", "did you mean 'voxels'?"]),
        (["run", "quickstart", "--scene", "blendr:x"], ["unknown ray source 'blendr'", "'blender'"]),
        (["run", "quickstart", "--export", "coreml,onx"], ["unknown exporter 'onx'", "'onnx'"]),
        (["run", "quickstart", "--set", "student.wdth=3"], ["'wdth'", "did you mean 'width'"]),
        (["run", "quickstart", "--set", "distill.steps=few"], ["distill.steps", "'few'"]),
        (["run", "quickstart", "--set", "image_size=31"], ["31x31", "30x30 or 32x32"]),
        (["run", "quickstart", "--scene", "blender:nowhere"], ["nowhere"]),
        (["recipes", "show", "x"], ["unknown recipe 'x'"]),
        (["distill", "no-run"], ["no-run: no run here"]),
        (["evaluate", "."], ["no run here"]),
        (["export", "student.safetensors"], ["student.safetensors"]),
        (["teach", "new", "--set", "seed=1"], ["name its --recipe"]),
        (["--plugins-dir", "no-such-folder", "plugins", "list"], ["no-such-folder"]),
    ],
    ids=lambda value: " ".join(value) if value and value[0] in ("run", "recipes", "teach") else None,
)  # fmt: skip
def test_a_users_mistake_is_answered_in_a_line_or_two_and_leaves_no_folder(command, tmp_path, arguments, said):
    assert_fails(command(*arguments, cwd=tmp_path), 2, *said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["trian"], ["run"], ["run", "quickstart", "--sett", "x=1"]], ids=" ".join)
def test_a_misspelt_command_or_option_exits_with_2(command, tmp_path, arguments):
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_run_is_found_by_its_name(monkeypatch, tmp_path):
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert run_folder(Path("mine")) == Path("runs/mine")
    assert run_folder(Path("other")) == Path("other")
