"""Resolves a recipe's name and the user's changes to a pipeline's configuration."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from nfcore.config.layers import component_name, overridden, read_layers, read_recipe, same_component
from nfcore.config.needs import check_needs
from nfcore.config.schema import ALL_VIEWS, ExportChoice, PipelineConfig
from nfcore.config.setting_sources import SettingSources
from nfcore.config.stages import TRAINING
from nfcore.errors import PluginError, UserError, nearest
from nfcore.interfaces.loss import USES_GEOMETRY
from nfcore.io.toml_files import DEEPEST, parse_toml
from nfcore.options import parse
from nfcore.plugin.components import Kind
from nfcore.plugin.manager import PluginManager
from nfcore.plugin.scene_detection import scene_choice

_PARTS: tuple[Kind, ...] = ("encoding", "backbone", "upsampler")


def read_pipeline(name: str, manager: PluginManager) -> PipelineConfig:
    """Return the pipeline of a recipe without changes, whether or not its components are installed.

    Raises:
        UserError: as ``read_recipe``; or an unknown setting or a wrong value.

    """
    return parse(PipelineConfig, read_recipe(name, manager), f"recipe {name!r}")


@dataclass(frozen=True)
class Configured:
    """A pipeline's configuration, and the source of each setting.

    Args:
        config: the configuration.
        sources: a recipe's name or a command line option, by flat key such as ``distill.steps``; settings with
            their default are left out.

    """

    config: PipelineConfig
    sources: dict[str, str]


class Choices(TypedDict, total=False):
    """What a user chooses and changes of a recipe; all optional."""

    #: A ray source, ``NAME`` or ``NAME:PATH``; or a ``PATH`` whose ray source is detected from its files.
    scene: str | None
    #: A teacher's name; the recipe's options for another teacher are dropped.
    teacher: str | None
    #: ``key=value`` each, such as ``distill.steps=100`` or ``student.width=128``.
    changes: Iterable[str]
    #: Labels of the recipe's exports, or names of exporters, comma-separated; empty for none.
    exports: str | None
    #: A publication whose test views are scored; ``all`` for every test view.
    protocol: str | None


def configure(recipe: str, manager: PluginManager, **choices: Unpack[Choices]) -> PipelineConfig:
    """Return a recipe's configuration with the user's choices.

    Args:
        recipe: a recipe's name, or the path of a TOML file.
        manager: finds recipes and components.
        choices: ``scene``, ``teacher``, ``changes``, ``exports``, ``protocol``: see ``Choices``.

    >>> config = configure("quickstart", nfcore.plugins(), changes=["distill.steps=100"])  # doctest: +SKIP
    >>> config.distill.steps  # doctest: +SKIP
    100

    Raises:
        UserError: an unknown name, option or value.

    """
    return configure_with_sources(recipe, manager, **choices).config


def configure_with_sources(
    recipe: str,
    manager: PluginManager,
    *,
    scene: str | None = None,
    teacher: str | None = None,
    changes: Iterable[str] = (),
    exports: str | None = None,
    protocol: str | None = None,
) -> Configured:
    """Return what ``configure`` does, with the source of each setting."""
    values: dict[str, Any] = {}
    sources = SettingSources()
    changed: set[str] = set()

    def override(source: str, given: dict[str, Any]) -> None:
        values.update(given)
        sources.record(source, given, values)

    for name, own in read_layers(recipe, manager):
        values = overridden(values, own)
        sources.record(f"recipe {name}", own, values)
    if scene is not None:
        override("--scene", {"scene": scene_choice(scene, manager)})
    if teacher is not None and not same_component(teacher, component_name(values.get("teacher"))):
        override("--teacher", {"teacher": {"name": teacher}})
    if exports is not None:
        offered = _table(values, "export")
        labels = [label.strip() for label in exports.split(",") if label.strip()]
        added = {_label(label): {"name": label} for label in labels if label not in offered}
        values["export"] = {label: added.get(label) or offered[label] for label in map(_label, labels)}
        sources.record("--export", {"export": added}, values)
    if protocol is not None:
        override("--protocol", {"protocol": protocol})
    for change in changes:
        given = _apply(values, change, manager)
        sources.record("--set", given, values)
        changed |= given.keys() | {f"{stage}.steps" for stage in TRAINING if "steps" in _table(given, stage)}
    if "minutes" in changed and (steps := sorted(key for key in changed if key.endswith(".steps"))):
        raise UserError(f"--set minutes: {', '.join(steps)} would follow from it: give one or the other")
    config = parse(PipelineConfig, values, f"recipe {recipe!r}")
    check_needs(config, recipe, manager)
    check_options(config, manager)
    return Configured(config, sources.of(config.model_dump(mode="json", exclude_none=True)))


def choose_exports(
    offered: dict[str, ExportChoice],
    names: Iterable[str],
    changes: Iterable[str],
    label: str | None,
    manager: PluginManager,
    *,
    required_psnr: float | None = None,
) -> dict[str, ExportChoice]:
    """Return the exports to make: those of ``offered`` or of exporters that ``names`` lists, or all offered.

    Args:
        offered: the exports of a run by label.
        names: labels or exporters.
        changes: ``key=value`` each, options of the exporters.
        label: another label, if one export is named.
        manager: finds exporters.
        required_psnr: least PSNR against torch in dB; None does not change it.

    Raises:
        UserError: nothing to export, an unknown name or option, or a label for several exports.

    """
    chosen = {_label(name): offered.get(name, ExportChoice(name=name)) for name in names} or dict(offered)
    if not chosen:
        known = nearest("", {component.name for _, component in manager.components("exporter")})
        raise UserError(f"the recipe has no exports: name an exporter; {known}")
    required = {} if required_psnr is None else {"required_psnr": required_psnr}
    values = {name: choice.model_dump() | required for name, choice in chosen.items()}
    for change, value in itertools.product(changes, values.values()):
        _apply(value, change, manager)
    if label is not None:
        if len(values) > 1:
            raise UserError(f"--as {label}: {len(values)} exports can't share a label: name one exporter")
        values = dict.fromkeys([label], *values.values())
    chosen = {name: parse(ExportChoice, value, f"export {name!r}") for name, value in values.items()}
    for name, choice in chosen.items():
        parse(manager.load("exporter", choice.name).Options, choice.options, f"export {name!r}")
    return chosen


def _label(name: str) -> str:
    """Return the label of an export that is named by its exporter, which may be ``distribution/name``."""
    return name.rpartition("/")[2]


def check_options(config: PipelineConfig, manager: PluginManager) -> None:
    """Check every component's name and options before any work is done.

    Raises:
        UserError: an unknown component or option, or a wrong value.

    """
    for where, (kind, choice) in config.components.items():
        component = manager.load(kind, choice.name)
        parse(component.Options, choice.options, f"{where} ({choice.name})")
        if where == "finetune.loss" and component.uses_geometry:
            raise UserError(f"{where}: {choice.name} {USES_GEOMETRY}")
    check_exports(config, manager)
    if config.protocol != ALL_VIEWS:
        manager.publication(config.protocol)


def check_exports(config: PipelineConfig, manager: PluginManager) -> None:
    """Check that there is what each of the pipeline's exporters takes; one that is not installed is left alone.

    Raises:
        UserError: an exporter takes a student, and the pipeline has none.

    """
    if config.student is not None:
        return
    for label, choice in config.export.items():
        try:
            takes = manager.load("exporter", choice.name).takes
        except PluginError:
            continue
        if takes == "student":
            raise UserError(
                f"export.{label}: {choice.name} takes a student, and this pipeline has none: choose an exporter "
                "that takes a teacher, or a recipe with a student"
            )


def _apply(values: dict[str, Any], change: str, manager: PluginManager) -> dict[str, Any]:
    """Set one ``key=value`` in ``values``; return the nested table of this value alone."""
    key, new = parse_change(change, "distill.steps=100")
    path = key.split(".")
    if path[0] == "student" and len(path) == 2 and path[1] not in ("scale", *_PARTS):
        path.insert(1, _part_with_option(_table(values, "student"), path[1], manager))
    node = values
    for part in path[:-1]:
        child = node.setdefault(part, {})
        if isinstance(child, str):  # a component's name without options
            child = node[part] = {"name": child}
        if not isinstance(child, dict):
            raise UserError(f"--set {change!r}: {part!r} is a value, not a table")
        node = child
    node[path[-1]] = new
    return functools.reduce(lambda inner, part: {part: inner}, reversed(path), new)


def _part_with_option(student: dict[str, Any], option: str, manager: PluginManager) -> str:
    """Return the part of the student that has ``option``, so that ``student.width`` can be set."""
    options = {
        part: list(manager.load(part, component_name(student[part])).Options.model_fields)
        for part in _PARTS
        if part in student
    }
    found = [part for part, names in options.items() if option in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(
            f"student.{option} is ambiguous: write " + " or ".join(f"student.{p}.{option}" for p in found)
        )
    known = {name for names in options.values() for name in names}
    raise UserError(f"no part of the student has an option {option!r}; {nearest(option, known)}")


def _table(values: dict[str, Any], key: str) -> dict[str, Any]:
    table = values.get(key, {})
    if not isinstance(table, dict):
        raise UserError(f"{key}: must be a table, not {table!r}")
    return table


def parse_change(change: str, example: str) -> tuple[str, Any]:
    """Return key and value of ``key=value``; the value is TOML if it parses, else a string (a path, a name).

    >>> parse_change("levels=[1, 2]", example=""), parse_change("path=data/lego", example="")
    (('levels', [1, 2]), ('path', 'data/lego'))

    Raises:
        UserError: ``change`` has another form; shows the ``example``.

    """
    key, equals, text = (part.strip() for part in change.partition("="))
    if not equals or not all(key.split(".")) or key.count(".") >= DEEPEST:
        raise UserError(f"--set {change!r}: write it as key=value, such as {example}")
    try:
        return key, parse_toml(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return key, text
