"""The documentation: what it shows runs, and nothing that exists is missing from it."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import BaseModel

import nfcore
from nfcore import hookspecs
from nfcore.config.resolve import configure
from nfcore.config.schema import Choice, PipelineConfig
from nfcore.evaluation.publications import read_tables
from nfcore.plugin.components import KINDS
from nfcore.plugin.manager import PluginManager

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDES = {kind: DOCS / "guides" / f"{kind.replace('_', '-')}.md" for kind in KINDS}
BIN = Path(sys.executable).parent

needs_mkdocs = pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed: pip install -e '.[docs]'"
)


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a page in one language: the title (empty if it has none) and the text of each."""
    pattern = rf'^```{language}(?: title="([^"]*)")?\n(.*?)^```$'
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def environment(**more: str) -> dict[str, str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"COLUMNS": "200", "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"} | more


def succeed(command: list[str | Path], cwd: Path, **more: str) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, env=environment(**more))
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_tutorial_works_command_by_command(tmp_path):
    """Its commands run as they stand; pip's own settings send what it installs to a temporary folder."""
    site = tmp_path / "site"
    settings = {
        "PYTHONPATH": str(site),
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
                printed[line] = succeed(shlex.split(line), folder, **settings)
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


def test_the_guides_examples_make_a_pipeline_together(guides_summary):
    assert guides_summary["scene"] == "ball"
    assert guides_summary["teacher.test.psnr"] > 15  # a white image, or a grey one, of this scene has less
    assert guides_summary["export.program.psnr_vs_torch"] > 100


def test_each_key_of_the_summary_is_explained(guides_summary):
    page = (DOCS / "runs.md").read_text(encoding="utf-8")
    for key in guides_summary:
        shown = re.sub(r"^export\.[\w-]+\.", "export.<label>.", key)
        shown = re.sub(r"^seconds\.(?!total).*", "seconds.<stage>", shown)
        assert f"`{shown}`" in page, f"docs/runs.md says nothing of {key}"


def test_the_guides_examples_keep_their_contracts(guides_plugin):
    assert len(list((guides_plugin / "tests").glob("test_*.py"))) == len(KINDS)
    succeed(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests"],
        guides_plugin,
        PYTHONPATH=str(guides_plugin / "src"),
    )


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


def test_a_guide_says_what_its_kind_gets_gives_and_may_raise():
    for kind, page in GUIDES.items():
        headings = re.findall(r"^## (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        right = ["What it gets", "What it must give", "What it may raise", "A minimal one", "Test it"]
        assert headings == right, kind


# -- nothing is missing ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The module that generates the reference."""
    spec = importlib.util.spec_from_file_location("generate_reference", DOCS / "generate_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def plugins() -> PluginManager:
    """All first-party plugins."""
    from nfcore.plugin.entry_points import discover

    names = {
        tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"]
        for path in ROOT.glob("plugins/*/pyproject.toml")
    }
    return PluginManager(source for source in discover() if source.distribution in names)


HOOKS = [name for name, value in vars(hookspecs).items() if hasattr(value, "nfcore_spec")]


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_says_what_it_is_for_and_explains_its_arguments(hook):
    function = getattr(hookspecs, hook)
    text = inspect.getdoc(function)
    assert text, f"{hook} has no docstring"
    arguments = list(inspect.signature(function).parameters)
    unexplained = [name for name in arguments if f"{name}:" not in text and len(arguments) > 1]
    assert not unexplained, f"{hook}'s docstring says nothing of {unexplained}"


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_test(hook):
    tests = [*ROOT.glob("tests/*.py"), *ROOT.glob("plugins/*/tests/*.py")]
    using = [path for path in tests if path != Path(__file__) and hook in path.read_text(encoding="utf-8")]
    assert using, f"no test uses the hook {hook}"


def test_each_component_and_recipe_has_a_summary(plugins):
    silent = [c.name for _, c in plugins.components() if not c.summary]
    silent += [r.name for _, r in plugins.recipes() if not r.summary]
    assert not silent
    assert all(not plugin.problem for plugin in plugins.plugins), [p.problem for p in plugins.plugins]


def test_each_component_and_its_options_have_a_docstring(plugins):
    for plugin, component in plugins.components():
        cls = plugins.load(component.kind, f"{plugin.distribution}/{component.name}")
        assert cls.__doc__, component.target
        if cls.Options is not nfcore.Options:
            assert cls.Options.__doc__, f"{component.target}.Options"
        for name, description in described(cls.Options):
            assert description, f"option {name} of {component.target} has no description"


def test_each_setting_of_a_pipeline_has_a_description():
    for name, description in described(PipelineConfig):
        assert description, f"setting {name} has no description"


def described(model: type[BaseModel], prefix: str = "") -> list[tuple[str, str | None]]:
    """All fields of a model and of models in it, with their descriptions."""
    fields: list[tuple[str, str | None]] = []
    for name, field in model.model_fields.items():
        fields.append((prefix + name, field.description))
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation is not Choice:
            fields += described(annotation, f"{prefix}{name}.")
    return fields


def test_each_component_is_named_by_its_distributions_readme(plugins):
    for plugin, component in plugins.components():
        readme = (ROOT / "plugins" / plugin.distribution / "README.md").read_text(encoding="utf-8")
        named = re.search(rf"\b{re.escape(component.name)}\b", readme)
        assert named, f"{plugin.distribution}'s README says nothing of {component.name}"


def test_each_component_has_a_conformance_test(plugins):
    for plugin, component in plugins.components():
        tests = (ROOT / "plugins" / plugin.distribution / "tests").glob("*.py")
        tested = {name.rpartition("/")[2] for path in tests for name in conforming(path)}
        cls = component.target.rpartition(":")[2]
        missing = f"{plugin.distribution}/tests: no conformance class for the {component.kind} {component.name!r}"
        assert tested & {component.name, cls}, missing


def conforming(path: Path) -> set[str]:
    """The components that conformance classes of a test file name, by name or by class."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef) and any("Conformance" in ast.unparse(base) for base in node.bases):
            for statement in node.body:
                if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "component":
                    names.add(ast.unparse(statement.value).strip("'\"").rpartition(".")[2])
    return names


def test_the_reference_shows_every_hook_component_option_setting_command_and_public_name(reference, plugins):
    pages = reference.pages()
    for hook in HOOKS:
        assert f"::: nfcore.hookspecs.{hook}\n" in pages["reference/hooks.md"]
    for plugin, component in plugins.components():
        text = pages[f"reference/{component.kind.replace('_', '-')}.md"]
        assert f"### `{component.name}`" in text
        cls = plugins.load(component.kind, f"{plugin.distribution}/{component.name}")
        section = text.partition(f"### `{component.name}`")[2].partition("### ")[0]
        for option in cls.Options.model_fields:
            assert f"| `{option}" in section, f"{component.name}: {option}"
    for _, recipe in plugins.recipes():
        assert f"## `{recipe.name}`" in pages["reference/recipes.md"]
    for setting, _ in described(PipelineConfig):
        assert f"`{setting.rpartition('.')[2]}`" in pages["reference/settings.md"]
    shown = "".join(pages.values())
    for name in set(nfcore.__all__) - {
        "Split",
        "hookimpl",
    }:  # a type alias and a decorator: they have no docstring
        assert re.search(rf"^::: nfcore\.[\w.]*\b{name}$", shown, re.MULTILINE), f"{name} is not in the reference"


def test_the_reference_shows_every_command_that_the_command_line_has(reference, command, tmp_path):
    text = reference.pages()["reference/commands.md"]
    for group in ([], ["plugins"], ["recipes"]):
        printed = command(*group, "--help", cwd=tmp_path).stdout
        names = re.findall(r"^│ ([a-z][\w-]*)", printed.partition("Commands")[2], re.MULTILINE)
        assert names, printed
        for name in set(names) - {"plugins", "recipes", "coreml", "make-scene", "sweep", "view"}:
            assert f"## `{' '.join(['nfcore', *group, name])}`\n" in text


@needs_mkdocs
def test_the_documentation_is_built_without_a_warning(tmp_path):
    succeed(  # without --quiet: mkdocs then does not count the warnings that --strict is about
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        ROOT,
        NO_MKDOCS_2_WARNING="1",
    )
    assert "RayEncoding" in (tmp_path / "site" / "reference" / "encoding" / "index.html").read_text()
