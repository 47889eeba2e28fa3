"""``nfcore plugins search``: search the catalogue of known plugins, installed or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from nfcore.cli.options import examples
from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.errors import UserError, nearest
from nfcore.plugin import catalogue
from nfcore.plugin.components import KINDS

_KINDS = (*KINDS, "recipe")


def _kinds(incomplete: str) -> list[str]:
    return [kind for kind in _KINDS if kind.startswith(incomplete)]


def add_to(app: typer.Typer) -> None:
    """Add the command to ``nfcore plugins``."""
    app.command(epilog=examples("nfcore plugins search phone"))(search)


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(help="Words that must all occur, in any order; lists all plugins by default."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help=f"Only this kind: {', '.join(_KINDS)}.", autocompletion=_kinds)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Search the catalogue of known plugins; it ships with nfcore, so no network is used."""
    if kind not in (None, *_KINDS):
        raise UserError(f"unknown kind {kind!r}: {nearest(str(kind), _KINDS)}")
    offers = [
        offer
        for entry in catalogue.index()
        for offer in _offers(entry)
        if kind in (None, offer["kind"]) and _has(offer, words or ())
    ]
    if as_json:
        print_json(offers)
    elif offers:
        columns = ["kind", "name", "from", "installed", "what it is", "how to install"]
        print_table(columns, [_row(offer) for offer in offers])
    else:
        say("nothing in the catalogue matches; 'nfcore plugins search' without words lists all of it")


def _offers(entry: catalogue.Entry) -> Iterator[dict[str, Any]]:
    """Yield each component and recipe of a plugin; the plugin itself if it has none."""
    plugin = {
        "distribution": entry.distribution,
        "plugin_summary": entry.summary,
        "install": entry.install,
        "installed": catalogue.installed_version(entry.distribution),
        "licence": entry.licence,
        "maturity": entry.maturity,
        "home_page": entry.home_page,
    }
    for component in entry.components:
        yield component.model_dump() | plugin
    for recipe in entry.recipes:
        yield {"kind": "recipe", "level": None} | recipe.model_dump() | plugin
    if not entry.components and not entry.recipes:
        yield {"kind": None, "name": None, "level": None, "summary": entry.summary} | plugin


def _has(offer: dict[str, Any], words: list[str] | tuple[str, ...]) -> bool:
    fields = ("kind", "name", "summary", "distribution", "plugin_summary")
    text = " ".join(str(offer[field] or "") for field in fields).lower()
    return all(word.lower() in text for word in words)


def _row(offer: dict[str, Any]) -> list[Any]:
    how = None if offer["installed"] else offer["install"]
    return [offer["kind"], offer["name"], offer["distribution"], offer["installed"], offer["summary"], how]
