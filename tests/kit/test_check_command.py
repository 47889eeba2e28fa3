"""``nfcore plugins check`` reports components by name, by distribution and from a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from nfcore.cli import check
from nfcore.errors import PluginError, UserError

pytestmark = pytest.mark.slow


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr("nfcore.plugin.installed._folders", ())
    app = typer.Typer()
    check.add_to(app)

    def run(*arguments: object, code: int) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a plugin with the right backbone of these tests, or a wrong one, without installing it."""
    monkeypatch.syspath_prepend(Path(__file__).parent)

    def write(
        component: str, module: str = "", test: str | None = None, name: str = "seen", more: str = ""
    ) -> Path:
        folder = tmp_path / name
        package = folder / "src" / f"{name}_plugin"
        package.mkdir(parents=True)
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "nf-{name}"\nversion = "1.0"\n'
            f'[project.entry-points.nfcore]\n{name} = "{name}_plugin"\n'
        )
        (package / "__init__.py").write_text(
            f"import nfcore\n{module}\n@nfcore.hookimpl\ndef nfcore_components():\n    yield {component}\n"
        )
        (package / "body.py").write_text(
            "import right\nfrom wrong_parts import wrong_networks\n\n\n"
            "class Right(right.Backbone):\n    pass\n\n\n"
            "class Single(wrong_networks(right.Backbone)['network.half']):\n    pass\n\n\n" + more
        )
        if test:
            (folder / "tests").mkdir()
            (folder / "tests" / "test_conformance.py").write_text(
                f"from nfcore.testing import BackboneConformance\n\n\nclass TestBody(BackboneConformance):\n{test}"
            )
        return folder

    return write


def body(name: str, cls: str = "Right", more: str = ", summary='A body'") -> str:
    return f"nfcore.Component('backbone', 'body', '{name}_plugin.body:{cls}'{more})"


def test_a_component_that_passes_is_counted(run):
    assert "upsampler nfcore-mobiler2l/pixel-shuffle: 21 passed" in run("pixel-shuffle", code=0)


def test_json_holds_each_test_with_its_result(run):
    report = json.loads(run("nfcore-mobiler2l/pixel-shuffle", "--json", code=0))
    (component,) = report["components"]
    assert report["passed"]
    assert (component["kind"], component["name"]) == ("upsampler", "nfcore-mobiler2l/pixel-shuffle")
    assert {test["result"] for test in component["tests"]} == {"passed"}


def test_an_unknown_name_is_a_users_mistake(run):
    with pytest.raises(UserError, match="unknown component 'pixel-shufle': did you mean 'pixel-shuffle'"):
        run("pixel-shufle", code=2)


def test_without_a_name_it_says_what_it_needs(run):
    with pytest.raises(UserError, match="--registry"):
        run(code=2)


def test_a_missing_option_is_asked_for(run):
    assert "not tested: ray_source 'nfcore-scenes/blender': option 'path' is missing" in run("blender", code=1)


def test_each_component_of_a_folder_is_tested_by_itself_and_a_broken_rule_is_printed(run, plugin):
    other = body("two", "Single").replace("'body'", "'other'")
    said = run(plugin(f"{body('two')}\n    yield {other}", name="two"), code=1)
    assert "backbone nf-two/body: 19 passed\n" in said
    assert "backbone nf-two/other: 18 passed, 1 failed\n" in said
    assert "failed: network.half" in said
    assert "torch.float32" in said


def test_json_names_the_broken_rule(run, plugin):
    report = json.loads(run(plugin(body("broken", "Single"), name="broken"), "--json", code=1))
    (failed,) = (t for t in report["components"][0]["tests"] if t["result"] != "passed")
    assert (failed["rule"], failed["broken"], failed["result"]) == ("network.half", "network.half", "failed")


def test_what_is_not_finite_is_said_once_and_before_all_else(run, plugin):
    more = (
        "class NotANumber(Right):\n"
        "    def forward(self, features):\n        return super().forward(features) / 0 * 0\n"
    )
    said = run(plugin(body("nan", "NotANumber"), name="nan", more=more), code=1)
    failures = [line for line in said.splitlines() if line.startswith("  failed: ")]
    assert failures[0].startswith("  failed: backbone.finite")
    assert sum("backbone.finite" in line for line in failures) == 1
    assert "part.repeatable" in said  # among those that could not be judged


def test_an_exception_in_the_plugin_is_shown_with_file_and_line_once(run, plugin):
    more = "class Raises(Right):\n    def forward(self, features):\n        raise KeyError('layers')\n"
    folder = plugin(body("raises", "Raises"), name="raises", more=more)
    said = run(folder, code=1)
    line = 1 + (folder / "src/raises_plugin/body.py").read_text().splitlines().index(
        "        raise KeyError('layers')"
    )
    assert said.count(f"body.py:{line}, in forward") == 1
    assert "KeyError: 'layers'" in said


def test_a_module_that_can_not_be_imported_is_shown_with_file_and_line(run, plugin):
    folder = plugin(body("unborn"), name="unborn", more="undefined\n")
    last = len((folder / "src/unborn_plugin/body.py").read_text().splitlines())
    said = run(folder, code=1)
    assert "NameError" in said
    assert f"body.py:{last}" in said


def test_a_broken_plugin_is_shown_with_file_and_line(run, plugin):
    with pytest.raises(PluginError, match=r"nf-torn.*ZeroDivisionError.*__init__.py:2"):
        run(plugin(body("torn"), module="1 / 0", name="torn"), code=2)


def test_a_folders_own_tests_say_what_is_known_to_fail(run, plugin):
    test = "    component = 'body'\n    xfail = {'network.half': 'an op knows no half'}\n"
    said = run(plugin(body("known", "Single"), test=test, name="known"), code=0)
    assert "18 passed, 1 expected to fail" in said
    assert "an op knows no half" in said


def test_a_component_without_summary_and_a_plugin_module_that_imports_torch_are_wrong(run, plugin):
    said = run(plugin(body("heavy", more=""), module="import torch", name="heavy"), code=1)
    assert "has no summary" in said
    assert "the plugin's module imports torch" in said


def test_another_interface_level_is_wrong(run, plugin):
    said = run(plugin(body("old", more=", summary='A body', level=7"), name="old"), code=1)
    assert "was written for level 7 of that interface" in said


def test_an_option_without_description_breaks_a_rule(run, plugin):
    folder = plugin(body("silent", "Silent"), name="silent")
    with (folder / "src" / "silent_plugin" / "body.py").open("a") as file:
        file.write("\n\nclass Silent(Right):\n    class Options(right.Backbone.Options):\n        size: int = 3\n")
    assert "component.options-described" in run(folder, code=1)


def test_an_entry_of_the_catalogue_is_checked(run, tmp_path):
    entry = tmp_path / "nfcore-nowhere.toml"
    entry.write_text("distribution = 'nfcore-nowhere'\n")
    assert str(entry) in run("--registry", entry, code=1)


def test_the_command_line_can_be_listed_without_the_kit():
    code = "import sys, nfcore.cli.check; sys.exit('torch' in sys.modules or 'pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
