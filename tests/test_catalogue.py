"""The catalogue says what is true of the plugins that it lists, ships with the core, and answers unknown names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from nfcore import UserError
from nfcore.cli import search
from nfcore.plugin import catalogue
from nfcore.plugin.catalogue import Entry, build_index, check_entry, index, install_hint, read_entry, schema
from nfcore.plugin.installed import plugins

ROOT = Path(__file__).parents[1]
REGISTRY = ROOT / "registry"
FIRST_PARTY = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))

TINY = Path(__file__).with_name("tiny_entry.toml").read_text(encoding="utf-8")


@pytest.fixture
def catalogued(monkeypatch):
    """Put the tiny plugin, which is not installed, into the catalogue that ships."""
    entries = (*index(), Entry.model_validate(tomllib.loads(TINY)))
    monkeypatch.setattr(catalogue, "index", lambda: entries)


def test_the_index_and_the_schema_are_up_to_date():
    rebuild = "run: python -m nfcore.plugin.catalogue registry"
    assert (REGISTRY / "index.json").read_text() == build_index(REGISTRY / "plugins"), rebuild
    assert (REGISTRY / "schema.json").read_text() == schema(), rebuild


@pytest.mark.slow
def test_the_command_writes_the_index_and_the_schema(tmp_path):
    shutil.copytree(REGISTRY / "plugins", tmp_path / "plugins")
    subprocess.run([sys.executable, "-m", "nfcore.plugin.catalogue", tmp_path], check=True)
    for name in ("index.json", "schema.json"):
        assert (tmp_path / name).read_bytes() == (REGISTRY / name).read_bytes()


def test_the_command_writes_nothing_where_there_are_no_entries(tmp_path):
    with pytest.raises(UserError, match="plugins"):
        catalogue.main(tmp_path / "--help")
    assert list(tmp_path.iterdir()) == []


def test_every_first_party_plugin_is_in_the_index_that_is_read():
    assert [entry.distribution for entry in index() if entry.home_page.startswith("plugins/")] == FIRST_PARTY


@pytest.mark.parametrize("distribution", FIRST_PARTY)
def test_an_entry_says_what_the_installed_plugin_says(distribution):
    assert check_entry(REGISTRY / "plugins" / f"{distribution}.toml", plugins()) == []
    entry = next(entry for entry in index() if entry.distribution == distribution)
    assert entry.install == f"pip install ./plugins/{distribution}"
    assert (ROOT / entry.home_page / "README.md").is_file()


def test_the_example_in_the_readme_is_an_entry(tmp_path):
    text = (REGISTRY / "README.md").read_text()
    block = text[text.index("```toml") + 7 :]
    path = tmp_path / "nfcore-sky.toml"
    path.write_text(block[: block.index("```")].replace("\n   ", "\n"))
    assert read_entry(path).components[0].name == "directions"


@pytest.mark.slow
def test_a_wheel_of_the_core_holds_the_catalogue_and_all_of_nfcore(tmp_path):
    source = tmp_path / "source"
    skipped = shutil.ignore_patterns("__pycache__")
    for folder in ("nfcore", "registry"):
        shutil.copytree(ROOT / folder, source / folder, ignore=skipped)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", tmp_path, source], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    code = {str(p.relative_to(ROOT)) for p in (ROOT / "nfcore").rglob("*") if p.is_file()}
    code = {name for name in code if "__pycache__" not in name}
    assert held == code | {f"nfcore_registry/{name}" for name in ("__init__.py", "index.json", "schema.json")}


def test_the_schema_describes_every_field():
    described = json.loads(schema())
    for model in (described, *described["$defs"].values()):
        for name, field in model["properties"].items():
            assert field["description"], name
        assert model["additionalProperties"] is False


@pytest.mark.parametrize(
    ("kind", "name"),
    [("teacher", "sky"), ("teacher", "tiny-dist/sky"), ("teacher", "Tiny_Dist/sky"), ("recipe", "tiny")],
)
def test_a_name_that_a_catalogued_plugin_has_is_answered_with_how_to_install_it(catalogued, kind, name):
    assert install_hint(kind, name) == "tiny-dist has it: pip install tiny-dist"


@pytest.mark.parametrize(
    ("kind", "name"), [("exporter", "sky"), ("teacher", "skies"), ("teacher", "other/sky"), ("exporter", "onnx")]
)
def test_no_hint_for_another_kind_or_name_or_for_what_is_installed(catalogued, kind, name):
    assert install_hint(kind, name) is None


def test_the_command_line_passes_the_hint_on(catalogued, command, tmp_path):
    done = command("run", "quickstart", "--teacher", "sky", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("nfcore: unknown teacher 'sky'")
    assert "tiny-dist has it: pip install tiny-dist" in done.stderr


@pytest.mark.slow
def test_the_hint_needs_no_torch():
    use = "from nfcore.plugin.catalogue import install_hint; install_hint('teacher', 'x')"
    subprocess.run([sys.executable, "-c", f"{use}; import sys; assert 'torch' not in sys.modules"], check=True)


def searched(*arguments: str) -> list[dict]:
    result = CliRunner().invoke(application(), [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def application() -> typer.Typer:
    app = typer.Typer()
    search.add_to(app)
    return app


def names(offers: list[dict]) -> set[str]:
    return {offer["name"] for offer in offers}


def test_all_of_the_catalogue_is_listed_without_words(catalogued):
    offers = searched()
    assert {offer["distribution"] for offer in offers} == {entry.distribution for entry in catalogue.index()}
    assert {"sky", "ring", "tiny", "onnx", "quickstart"} <= names(offers)


def test_every_word_must_occur_in_any_case_and_order(catalogued):
    assert names(searched("SMALLEST", "sky")) == {"sky"}
    assert names(searched("sky", "smallest")) == {"sky"}
    assert searched("sky", "onnx") == []
    assert {offer["distribution"] for offer in searched("tensorboard")} == {"nfcore-tensorboard"}


def test_a_kind_narrows_the_search(catalogued):
    assert names(searched("tiny-dist", "--kind", "teacher")) == {"sky"}
    assert names(searched("tiny-dist", "--kind", "recipe")) == {"tiny"}
    with pytest.raises(UserError, match="unknown kind 'teecher': did you mean 'teacher'"):
        searched("--kind", "teecher")


def test_what_is_installed_shows_its_version_and_what_is_not_how_to_install_it(catalogued):
    (onnx,) = (entry for entry in searched("onnx", "--kind", "exporter") if entry["name"] == "onnx")
    assert onnx["installed"] == metadata.version("nfcore-onnx")
    (sky,) = searched("sky")
    assert sky["installed"] is None
    table = CliRunner(env={"COLUMNS": "200"}).invoke(application(), ["sky"]).output
    assert "pip install tiny-dist" in table
    assert "The sky" in table


def test_a_search_without_a_hit_says_so():
    assert "nothing in the catalogue matches" in CliRunner().invoke(application(), ["zebra"]).output
