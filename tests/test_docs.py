"""The documentation: what it shows runs."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from pathlib import Path

import pytest
from documentation import DOCS, GUIDES, blocks, succeed

import nfcore
from nfcore.config.resolve import configure
from nfcore.evaluation.publications import read_tables
from nfcore.plugin.components import KINDS
from nfcore.testing.running import run_file


@pytest.mark.slow
def test_the_tutorial_works_command_by_command(tmp_path):
    """Its commands run as they stand; pip's own settings send what it installs to a temporary folder."""
    site = tmp_path / "site"
    settings = {
        "PIP_TARGET": str(site),
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads the variable's value as that of build isolation itself
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "OMP_NUM_THREADS": "1",
    }
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    files = dict(blocks(DOCS / "tutorial.md", "python"))
    folder = tmp_path
    printed: dict[str, str] = {}
    for kind, title, text in re.findall(
        r'^```(sh|python)(?: title="([^"]*)")?\n(.*?)^```$', page, re.MULTILINE | re.DOTALL
    ):
        if kind == "python":
            assert (folder / title).is_file(), f"{title} is to be replaced, so it must be there"
            (folder / title).write_text(files[title], encoding="utf-8")
            continue
        for line in text.splitlines():
            if line.startswith("cd "):
                folder = folder / line.removeprefix("cd ")
            else:
                printed[line] = succeed(shlex.split(line), folder, path=[site], **settings)
    listed = next(text for line, text in printed.items() if line.endswith("plugins list"))
    assert "ray-chords" in listed
    assert "student.test.psnr" in json.loads((folder / "runs" / "quickstart" / "summary.json").read_text())


@pytest.fixture(scope="module")
def guides_plugin(tmp_path_factory) -> Path:
    """The guides' examples as one plugin, ``my_fields``: files as they stand, components as they are offered."""
    folder = tmp_path_factory.mktemp("guides") / "my-fields"
    package = folder / "src" / "my_fields"
    package.mkdir(parents=True)
    tests = folder / "tests"
    tests.mkdir()
    offers = []
    for page in GUIDES.values():
        for title, text in blocks(page, "python"):
            if title == "__init__.py":
                offers.append(text.strip())
                continue
            (tests if title.startswith("test_") else package).joinpath(title).write_text(text, encoding="utf-8")
    body = "".join(f"    yield {offer}\n" for offer in offers)
    (package / "__init__.py").write_text(
        f"import nfcore\n\n\n@nfcore.hookimpl\ndef nfcore_components():\n{body}", encoding="utf-8"
    )
    (folder / "pyproject.toml").write_text(
        textwrap.dedent(
            """
            [project]
            name = "my-fields"
            version = "0.1.0"
            [project.entry-points.nfcore]
            fields = "my_fields"
            """
        ),
        encoding="utf-8",
    )
    (recipe,) = [text for title, text in blocks(DOCS / "pipelines.md", "toml") if title == "mine.toml"]
    (folder / "mine.toml").write_text(recipe, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def guides_summary(guides_plugin) -> dict[str, object]:
    """``summary.json`` of the pipeline that the guides' examples make together."""
    command = ["nfcore", "--plugins-dir", ".", "run", "mine.toml", "--quiet", "--json", "--threads", "1"]
    return json.loads(succeed(command, guides_plugin, NFCORE_PLUGINS_ONLY="my-fields"))


@pytest.mark.slow
def test_the_guides_examples_make_a_pipeline_together(guides_summary):
    assert guides_summary["scene"] == "ball"
    assert guides_summary["teacher.test.psnr"] > 15  # a white image, or a grey one, of this scene has less
    assert guides_summary["export.program.psnr_vs_torch"] > 100


@pytest.mark.slow
def test_each_key_of_the_summary_is_explained(guides_summary):
    page = (DOCS / "runs.md").read_text(encoding="utf-8")
    for key in guides_summary:
        shown = re.sub(r"^export\.[\w-]+\.", "export.<label>.", key)
        shown = re.sub(r"^seconds\.(?!total).*", "seconds.<stage>", shown)
        assert f"`{shown}`" in page, f"docs/runs.md says nothing of {key}"


@pytest.mark.slow
def test_the_guides_examples_keep_their_contracts(guides_plugin, monkeypatch):
    """Their tests are run by pytest as they stand, in this process, which has torch already."""
    monkeypatch.syspath_prepend(guides_plugin / "src")
    files = sorted((guides_plugin / "tests").glob("test_*.py"))
    assert len(files) == len(KINDS)
    for file in files:
        collector = run_file(file)
        assert not collector.errors, collector.errors
        assert collector.outcomes
        assert [outcome for outcome in collector.outcomes if outcome.result != "passed"] == []


def test_the_conventions_example_is_true():
    for title, text in blocks(DOCS / "conventions.md", "python"):
        exec(compile(text, title, "exec"), {})


def test_the_example_of_a_recipe_that_extends_another_can_be_run(tmp_path):
    (text,) = [text for title, text in blocks(DOCS / "pipelines.md", "toml") if title == "bigger.toml"]
    (tmp_path / "bigger.toml").write_text(text)
    config = configure(str(tmp_path / "bigger.toml"), nfcore.plugins())
    assert (config.student.backbone.options["width"], config.distill.steps) == (160, 20_000)


def test_the_example_of_a_publication_is_one(tmp_path):
    ((_, text),) = blocks(DOCS / "evaluation.md", "toml")
    (tmp_path / "tables.toml").write_text(text)
    (table,) = read_tables(tmp_path / "tables.toml").tables
    assert [row.name for row in table.rows] == ["Teapot", "Mean"]


def test_a_guide_says_what_its_kind_gets_provides_and_may_raise():
    for kind, page in GUIDES.items():
        headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        right = ["What it gets", "What it must provide", "What it may raise", "A minimal example", "Test it"]
        assert headings == right, kind
