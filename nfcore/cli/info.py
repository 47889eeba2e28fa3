"""``nfcore plugins info``: one component with its options, read from their pydantic model."""

from __future__ import annotations

import inspect
import json
import types
import typing
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from nfcore.cli import completion
from nfcore.cli.options import examples
from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.errors import PluginError, nearest
from nfcore.options import model_in
from nfcore.plugin.components import KINDS, Component
from nfcore.plugin.entry_points import canonical
from nfcore.plugin.installed import plugins
from nfcore.plugin.isolation import Plugin, reason
from nfcore.plugin.manager import PluginManager


def add_to(app: typer.Typer) -> None:
    """Add the command to ``nfcore plugins``."""
    app.command(epilog=examples("nfcore plugins info voxels"))(info)


def info(
    name: Annotated[
        str,
        typer.Argument(
            help="A component (NAME, DISTRIBUTION/NAME or KIND:NAME), or a distribution (all of its components).",
            autocompletion=completion.any_component,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show a component: its description, its plugin, and its options with types and defaults."""
    manager = plugins()
    cards = [_card(manager, plugin, component) for plugin, component in matching(manager, name)]
    if as_json:
        print_json(cards)
        return
    for card in cards:
        _print(card)


def matching(manager: PluginManager, name: str) -> list[tuple[Plugin, Component]]:
    """Return the components that ``name`` may mean, of any kind unless it names one.

    Raises:
        PluginError: there is none, or the named plugin is broken.

    """
    kind, _, rest = name.rpartition(":")
    kind = kind.replace("-", "_")
    if kind and kind not in KINDS:
        raise PluginError(f"unknown kind {kind!r}; {nearest(kind, KINDS)}")
    offers = [(p, c) for p, c in manager.components() if kind in ("", c.kind)]
    distribution, _, bare = rest.rpartition("/")
    found = [(p, c) for p, c in offers if c.name == bare and canonical(distribution) in ("", p.distribution)]
    if found:
        return found
    for plugin in manager.plugins:
        if plugin.distribution == canonical(rest) and plugin.problem:
            raise PluginError(f"{plugin} ({plugin.source.entry_point}) is broken: {plugin.problem}")
    found = [(p, c) for p, c in offers if p.distribution == canonical(rest)]
    if found:
        return found
    raise manager.unknown(kind.replace("_", " ") or "component", rest, {c.name for _, c in offers})


def _card(manager: PluginManager, plugin: Plugin, component: Component) -> dict[str, Any]:
    """Return all that is known of a component; what a problem makes unavailable is absent."""
    problem = manager.problem(plugin, component)
    card: dict[str, Any] = {
        "kind": component.kind,
        "name": component.name,
        "distribution": plugin.distribution,
        "version": plugin.source.version,
        "level": component.level,
        "target": component.target,
        "summary": component.summary,
    }
    try:
        cls = manager.load(component.kind, f"{plugin.distribution}/{component.name}")
        card["description"] = _first_paragraph(cls)
        card["options"] = option_rows(cls.Options)
    except PluginError as error:
        problem = str(error)
    except Exception as error:  # whatever its class or its defaults raise
        problem = f"{component.target} is no {component.kind}: {reason(error)}"
    return card | ({"problem": problem} if problem else {})


def _first_paragraph(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())


def option_rows(model: type[BaseModel], prefix: str = "") -> list[dict[str, Any]]:
    """Return a row for each option of a pydantic model: name, type, default (unless required), description."""
    rows: list[dict[str, Any]] = []
    for name, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is not None:
            rows += option_rows(inner, f"{prefix}{name}.")
            continue
        row: dict[str, Any] = {"name": prefix + name, "type": _limited(_type(field.annotation), field.metadata)}
        if not field.is_required():
            default = field.get_default(call_default_factory=True, validated_data={})
            row["default"] = to_jsonable_python(default, fallback=str)
        rows.append(row | {"description": field.description or ""})
    return rows


_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "multiple_of": "multiple of"}


def _limited(type_: str, metadata: typing.Iterable[Any]) -> str:
    """Return a type with its limits, such as ``int >= 1``."""
    limits = [
        f"{sign} {getattr(limit, name)}"
        for limit in metadata
        for name, sign in _SIGNS.items()
        if getattr(limit, name, None) is not None
    ]
    return " ".join([type_, ", ".join(limits)]).strip()


def _type(annotation: Any) -> str:
    """Return a type as its author wrote it, without module names."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        metadata = [m for part in parts[1:] for m in getattr(part, "metadata", [part])]
        return _limited(_type(parts[0]), metadata)
    if origin is Literal:
        return " | ".join(f'"{part}"' if isinstance(part, str) else str(part) for part in parts)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type(part) for part in parts)
    if annotation in (type(None), Ellipsis):
        return "none" if annotation is not Ellipsis else "..."
    if parts:
        return f"{_type(origin)}[{', '.join(_type(part) for part in parts)}]"
    return str(getattr(annotation, "__name__", annotation))


def _print(card: dict[str, Any]) -> None:
    say(f"{card['kind']} {card['name']}: {card['summary']}")
    say(f"  from {card['distribution']} {card['version']}, {card['target']}, interface level {card['level']}")
    if card.get("problem"):
        say(f"  can't be used as it is: {card['problem']}")
    if card.get("description"):
        say(f"  {card['description']}")
    if card.get("options"):
        columns = ["option", "type", "default", "what it is"]
        rows = [[o["name"], o["type"], _default(o), o["description"]] for o in card["options"]]
        print_table(columns, rows)
    elif "options" in card:
        say("  It has no options.")


def _default(option: dict[str, Any]) -> str:
    """Return a default as a recipe would write it; TOML has no None."""
    if "default" not in option:
        return "(required)"
    return "none" if option["default"] is None else json.dumps(option["default"])
