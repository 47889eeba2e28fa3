"""The reference, written by mkdocs at build time: components, options, settings, commands, hooks and classes.

Prose comes from docstrings, tables from pydantic models, commands from typer, components from plugins' hooks.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import typer
from markdown_tables import page, table
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import nfcore
from nfcore import hookspecs, testing
from nfcore.cli import app
from nfcore.cli.info import option_rows
from nfcore.config.schema import Choice, PipelineConfig
from nfcore.interfaces.rules import RULES
from nfcore.options import model_in
from nfcore.plugin.components import INTERFACE_LEVELS, KINDS, Kind
from nfcore.plugin.entry_points import discover
from nfcore.plugin.manager import PluginManager

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PLUGINS = Path(__file__).parents[1] / "plugins"
INTERFACES: dict[Kind, str] = {
    "ray_source": "RaySource",
    "teacher": "Teacher",
    "encoding": "RayEncoding",
    "backbone": "Backbone",
    "upsampler": "Upsampler",
    "exporter": "Exporter",
    "loss": "Loss",
}
#: What else an interface's page shows: the values that its methods take and give.
COMPANIONS: dict[Kind, tuple[str, ...]] = {
    "ray_source": ("Views",),
    "teacher": ("Rendering",),
    "exporter": ("Runner", "Tolerance", "VerificationUnavailable"),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File  # here, so that tests read the pages where mkdocs is not installed

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """Return all generated pages: path and Markdown."""
    plugins = first_party()
    kinds = {f"reference/{kind.replace('_', '-')}.md": kind_page(kind, plugins) for kind in KINDS}
    return kinds | {
        "reference/recipes.md": recipes_page(plugins),
        "reference/settings.md": settings_page(),
        "reference/commands.md": commands_page(),
        "reference/hooks.md": hooks_page(),
        "reference/testing.md": testing_page(),
        "reference/python.md": python_page(),
    }


def first_party() -> PluginManager:
    """Return a manager of the plugins in ``plugins/``, whatever else is installed where the docs are built."""
    names = {
        tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"]
        for path in PLUGINS.glob("*/pyproject.toml")
    }
    return PluginManager(source for source in discover() if source.distribution in names)


def kind_page(kind: Kind, plugins: PluginManager) -> str:
    """Return the page of one kind: its contract, then each component with its options."""
    title = kind.replace("_", " ").capitalize()
    classes = (INTERFACES[kind], *COMPANIONS.get(kind, ()))
    parts = [
        f"# {title}",
        f"The contract (level {INTERFACE_LEVELS[kind]}), then the components of the first-party plugins. "
        f"How to write one: [guide](../guides/{kind.replace('_', '-')}.md).",
        "## The contract",
        *(documented(name) for name in classes),
        "## The rules",
        "Errors, `nfcore plugins check` and the [conformance kit](testing.md) name the rule that is broken.",
        rules_table(kind),
        "## The components",
    ]
    for plugin, component in plugins.components(kind):
        cls = plugins.load(kind, f"{plugin.distribution}/{component.name}")
        parts += [
            f"### `{component.name}` {{ #{component.name} }}",
            f"{component.summary}. From `{plugin.distribution}`.",
            options_table(cls.Options),
            f"::: {component.target.replace(':', '.')}\n    options: {{members: false, heading_level: 4}}",
        ]
    return page(parts)


def rules_table(kind: Kind) -> str:
    """Return the rules that the conformance kit tests of a kind: each id with its sentence."""
    (kit,) = (value for name in testing.__all__ if getattr(value := getattr(testing, name), "kind", "") == kind)
    rules = testing.base.standard_tests(kit).values()
    return table(["rule", "what must hold"], [[f"`{rule}`", RULES[rule]] for rule in rules])


def recipes_page(plugins: PluginManager) -> str:
    """Return the page of the recipes, each as it is."""
    parts = ["# Recipes", "What [pipelines](../pipelines.md) the first-party plugins offer by name."]
    for plugin, recipe in plugins.recipes():
        text = recipe.path.read_text(encoding="utf-8").strip()
        parts += [
            f"## `{recipe.name}`",
            f"{recipe.summary}. From `{plugin.distribution}`.",
            f"```toml\n{text}\n```",
        ]
    return page(parts)


def settings_page() -> str:
    """Return the page of a pipeline's settings: one table for each part."""
    parts = [
        "# Settings",
        "The keys of a recipe, and of `--set KEY=VALUE`. Where a component is chosen, the value is its name, or a "
        "table with its `name` and its options.",
        settings_table(PipelineConfig),
    ]
    for name, field in PipelineConfig.model_fields.items():
        if is_table(field):
            parts += [f"## `{name}`", f"{field.description}.", settings_table(model_in(field.annotation))]
    return page(parts)


def settings_table(model: type[BaseModel]) -> str:
    """Return the settings of one part of a pipeline as a table, those that are tables themselves by their name."""
    plain = {row["name"]: row for row in option_rows(model)}
    rows = []
    for name, field in model.model_fields.items():
        if name in plain:
            rows.append(option_cells(plain[name]))
        else:
            type_ = f"[table](#{name})" if is_table(field) else "component"
            default = "required" if field.is_required() else "none"
            if isinstance(field.default, Choice):
                default = f"`{field.default.name}`"
            rows.append([f"`{name}`", type_, default, f"{field.description}"])
    return table(["setting", "type", "default", "meaning"], rows)


def is_table(field: FieldInfo) -> bool:
    """Whether a setting is a table of settings, not a value or a component."""
    return model_in(field.annotation) not in (None, Choice)


def commands_page() -> str:
    """Return the page of the command line, without what plugins add."""
    group = typer.main.get_group(app)
    parts = [
        "# Command line",
        "A mistake in what was asked exits with 2, a failure while working with 1. These options come before a "
        "command's name:",
        parameters_table(group),
    ]
    for path, command in commands(group, "nfcore"):
        usage = " ".join([path, *(metavar(p) for p in command.params if p.param_type_name == "argument")])
        parts += [f"## `{path}`", str(command.help), f"    {usage} [OPTIONS]", parameters_table(command)]
    return page(parts)


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the path and the command of all commands below ``group``, without those of plugins."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def metavar(argument: Any) -> str:
    """Return what stands for an argument in a command's usage."""
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def parameters_table(command: Any) -> str:
    """Return the arguments and options of a command as a table."""
    rows = []
    for parameter in command.params:
        name = metavar(parameter) if parameter.param_type_name == "argument" else ", ".join(parameter.opts)
        rows.append([f"`{name}`", str(parameter.help or "")])
    return table(["argument or option", "meaning"], rows) if rows else ""


def hooks_page() -> str:
    """Return the page of the hooks, in the order of their definition."""
    hooks = [name for name, value in vars(hookspecs).items() if hasattr(value, "nfcore_spec")]
    parts = [
        "# Hooks",
        "What a plugin's module may implement, each with `@nfcore.hookimpl`.",
        str(hookspecs.__doc__),
        *(f"::: nfcore.hookspecs.{name}" for name in hooks),
        "## What hooks yield",
        *(documented(name) for name in ("Component", "Recipe", "Publication")),
    ]
    return page(parts)


def testing_page() -> str:
    """Return the page of the conformance kit: each class with the tests that it brings."""
    parts = ["# Conformance kit", (inspect.getdoc(testing) or "").replace("::\n", ":\n")]
    parts.append("::: nfcore.testing.base.Conformance\n    options: {members: false}")
    for name in testing.__all__:
        value = getattr(testing, name)
        parts.append(f"::: {value.__module__}.{value.__qualname__}\n    options: {{members: false}}")
        if hasattr(value, "kind"):
            rows = [[f"`{test}`", f"`{rule}`"] for test, rule in testing.base.standard_tests(value).items()]
            parts.append(table(["standard test", "the rule that it tests"], rows))
    return page(parts)


def python_page() -> str:
    """Return the page of the public surface, without what other pages show."""
    elsewhere = {*INTERFACES.values(), *(name for names in COMPANIONS.values() for name in names)}
    elsewhere |= {"Component", "Publication", "Recipe", "hookimpl"}
    public = [name for name in nfcore.__all__ if name not in elsewhere]
    parts = [
        "# Python",
        "What `import nfcore` and the packages below promise, besides [hooks](hooks.md), the kinds and the "
        "[conformance kit](testing.md). Nothing else is promised.",
        *(documented(name) for name in public if home(name) is not None),
    ]
    for package in packages():
        parts += [f"## `{package.__name__}`", inspect.getdoc(package) or ""]
        parts += [documented(name, package) for name in package.__all__ if home(name, package) is not None]
    return page(parts)


def packages() -> list[ModuleType]:
    """Return the public packages, but for the conformance kit, which has a page of its own."""
    names = re.findall(r"^- ``(nfcore\.\w+)``: ", nfcore.__doc__ or "", re.MULTILINE)
    return [importlib.import_module(name) for name in names if name != "nfcore.testing"]


def home(name: str, package: ModuleType = nfcore) -> str | None:
    """Return where a public name is defined, or None for what has no docstring of its own."""
    value = getattr(package, name)
    module, qualified = (getattr(value, attribute, None) for attribute in ("__module__", "__qualname__"))
    if module is None or not module.startswith("nfcore") or qualified is None or typing.get_origin(value):
        return None
    return f"{module}.{qualified}"


def documented(name: str, package: ModuleType = nfcore) -> str:
    """Return the directive that shows a public name."""
    return f"::: {home(name, package)}"


def options_table(model: type[BaseModel]) -> str:
    """Return a component's options as a table."""
    rows = [option_cells(row) for row in option_rows(model)]
    return table(["option", "type", "default", "meaning"], rows) if rows else "It has no options."


def option_cells(row: dict[str, Any]) -> list[str]:
    """Return one option's cells: name, type, default, meaning."""
    return [f"`{row['name']}`", f"`{row['type']}`", default_of(row), row["description"]]


def default_of(row: dict[str, Any]) -> str:
    """Return an option's default as it is written in TOML."""
    if "default" not in row:
        return "required"
    return "none" if row["default"] is None else f"`{json.dumps(row['default'])}`"
