"""A shell completes the names of what there is: components, recipes, runs and files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import environment
from installed import TESTS, install, offering, source_folder, tiny_distribution

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> list[Path]:
    return tiny_distribution(tmp_path_factory.mktemp("site"))


def completed(line: str, cwd: Path, path: list[Path]) -> str:
    """What zsh is told to propose after ``line``."""
    environ = environment(path, _NFCORE_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=line)
    done = subprocess.run([sys.executable, "-c", COMPLETE], capture_output=True, text=True, cwd=cwd, env=environ)
    assert done.stderr == ""
    return done.stdout


COMPLETE = """
import sys
sys.argv = ["nfcore"]
from nfcore.cli import main
try:
    main()
finally:
    assert "torch" not in sys.modules
"""


@pytest.mark.parametrize(
    ("line", "proposed", "not_proposed"),
    [
        ("nfcore run t", '"tiny"', "quickstart"),
        ("nfcore run ", '"mine.toml"', "hash-grid"),
        ("nfcore run quickstart --teacher ", '"sky"', "mixing"),
        ("nfcore run quickstart --scene bl", '"blender"', "sky"),
        ("nfcore run quickstart --scene runs/", '"runs/finished/"', "blender"),
        ("nfcore scene ru", '"runs/"', "blender"),
        ("nfcore plugins info mi", '"mixing"', "sky"),
        ("nfcore recipes show qui", '"quickstart"', "tiny"),
        ("nfcore evaluate ", '"finished"', "unfinished"),
        ("nfcore render fin", '"final.safetensors"', "finnish.txt"),
        ("nfcore render finished --path ", '"spiral"', "final.safetensors"),
        ("nfcore render finished --path fl", '"flight.json"', "spiral"),
        ("nfcore evaluate runs/", '"runs/unfinished/"', "student"),
        ("nfcore export finished onn", '"onnx"', "coreml"),
        ("nfcore run quickstart --export onnx,we", '"onnx,web"', '"onnx,onnx"'),
        ("nfcore run quickstart --set distill.st", '"distill.steps=', "teach"),
        ("nfcore plugins new x --kind ra", '"ray_source"', "teacher"),
    ],
)
def test_a_shell_completes_names_without_torch(path, tmp_path, line, proposed, not_proposed):
    for name in ("mine.toml", "final.safetensors", "finnish.txt", "flight.json"):
        (tmp_path / name).touch()
    for name in ("finished", "unfinished"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "finished" / "config.toml").touch()
    proposals = completed(line, tmp_path, path)
    assert proposed in proposals
    assert not_proposed not in proposals


def test_a_shell_completes_an_ambiguous_name_with_its_distributions(path, tmp_path):
    other = install(tmp_path / "site", "other-dist", offering("teacher", "sky", "tiny:Sky"))
    proposals = completed("nfcore run quickstart --teacher ", tmp_path, [*path, other])
    assert '"tiny-dist/sky"' in proposals
    assert '"other-dist/sky"' in proposals


def test_a_shell_completes_names_of_plugins_that_run_from_source(tmp_path):
    source_folder(tmp_path, "folder", "from_folder", offering("teacher", "sourced", "tiny:Sky"))
    assert '"sourced"' in completed("nfcore --plugins-dir . run quickstart --teacher so", tmp_path, [TESTS])


def test_a_plugins_folder_that_is_none_proposes_nothing(tmp_path):
    assert '"' not in completed("nfcore --plugins-dir nowhere run quickstart --teacher s", tmp_path, [TESTS])
