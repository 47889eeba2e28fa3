"""The documentation is complete: nothing that exists is missing from it. ``make docs`` builds it strictly."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import tomllib
from pathlib import Path
from types import ModuleType

import plugin_pages
import pytest
from documentation import ROOT
from public_surface import packages
from pydantic import BaseModel

import nfcore
from nfcore import hookspecs
from nfcore.config.schema import Choice, PipelineConfig
from nfcore.interfaces.rules import RULES
from nfcore.plugin.manager import PluginManager


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The module that generates the reference."""
    return importlib.import_module("generate_reference")


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


@pytest.mark.slow
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
    for package, module in packages().items():
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value) or (inspect.isclass(value) and value.__module__.startswith("nfcore")):
                assert f"::: {value.__module__}.{value.__qualname__}\n" in shown, f"{package}.{name}"


def test_the_reference_shows_every_rule_with_its_sentence(reference):
    text = "\n".join(reference.pages().values())
    for rule, sentence in RULES.items():
        assert f"| `{rule}` | {sentence} |" in text


def test_the_reference_shows_every_command_that_the_command_line_has(reference, command, tmp_path):
    text = reference.pages()["reference/commands.md"]
    groups = {"plugins", "recipes"}
    of_plugins = {"coreml", "download", "make-scene", "pose", "pull", "push", "sweep", "view"}
    for group in ([], ["plugins"], ["recipes"]):
        printed = command(*group, "--help", cwd=tmp_path).stdout
        names = re.findall(r"^  ([a-z][\w-]*) ", printed.partition("Commands:")[2], re.MULTILINE)
        assert names, printed
        for name in set(names) - {*groups, *of_plugins}:
            assert f"## `{' '.join(['nfcore', *group, name])}`\n" in text


def test_each_plugin_has_its_readme_as_a_page():
    names = sorted(path.parent.name for path in ROOT.glob("plugins/*/README.md"))
    assert list(plugin_pages.pages()) == [f"plugins/{name}.md" for name in names]


def test_no_backslash_is_shown_in_a_tables_code(reference):
    assert [
        line for line in "\n".join(reference.pages().values()).splitlines() if re.search(r"`[^`|]*\\\|", line)
    ] == []
