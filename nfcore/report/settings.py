"""The settings in the report: each with its value and its source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nfcore.config.schema import Choice, PipelineConfig
from nfcore.config.setting_sources import flat
from nfcore.errors import NfcoreError
from nfcore.options import parse
from nfcore.plugin.components import Kind
from nfcore.plugin.manager import PluginManager

DEFAULT = "default"
# Settings that may change within a run: it can be scored and exported again, and resume elsewhere.
_CHANGEABLE = ("device", "export", "protocol")


@dataclass(frozen=True)
class Setting:
    """One setting.

    Args:
        name: in its group.
        value: as in a recipe.
        source: ``default``, a recipe, or a command line option; empty if the run has not recorded it.

    """

    name: str
    value: str
    source: str


@dataclass(frozen=True)
class Group:
    """The settings of one table of a recipe, such as ``distill`` or ``student.backbone``."""

    name: str
    settings: tuple[Setting, ...]

    @property
    def only_defaults(self) -> bool:
        """Whether all of them have their defaults."""
        return all(setting.source == DEFAULT for setting in self.settings)


def groups(config: PipelineConfig, sources: Mapping[str, str], manager: PluginManager) -> list[Group]:
    """Return all settings of a pipeline, including the options of its components that have their defaults.

    Args:
        config: the pipeline.
        sources: of the settings, by flat key; empty if the run has not recorded them.
        manager: finds components; the defaults of those that are not installed are left out.

    """
    values = config.model_dump(mode="json", exclude={"summary"})
    components = config.components
    tables: dict[str, dict[str, Setting]] = {}
    given = flat(values)
    for key, value in given.items():
        group, _, name = _split(key, components)
        tables.setdefault(group, {})[name] = Setting(name, written(value), _source(key, value, sources))
    for group, (kind, choice) in components.items():
        for name, value in _defaults(kind, choice, manager):
            tables[group].setdefault(name, Setting(name, written(value), DEFAULT))
    return [Group(group, tuple(settings.values())) for group, settings in tables.items()]


def written(value: Any) -> str:
    """Return a value as in a recipe, and ``none`` for None, which TOML does not have."""
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _split(key: str, components: Mapping[str, object]) -> tuple[str, str, str]:
    """Split a flat key into its table and its name; the options of a component are one table."""
    for group in components:
        if key.startswith(f"{group}."):
            return group, ".", key.removeprefix(f"{group}.")
    return key.rpartition(".") if "." in key else ("pipeline", ".", key)


def _source(key: str, value: Any, sources: Mapping[str, str]) -> str:
    if key in sources or not sources:
        return _short(sources.get(key, ""))
    changeable = key.partition(".")[0] in _CHANGEABLE and value not in ("all", "auto", {}, None)
    return "a later command" if changeable else DEFAULT


def _defaults(kind: Kind, choice: Choice, manager: PluginManager) -> Iterator[tuple[str, Any]]:
    """Yield the options of a component that have their defaults."""
    try:
        options = parse(manager.load(kind, choice.name).Options, choice.options, choice.name)
    except NfcoreError:  # not installed, or with other options
        return
    yield from flat(options.model_dump(mode="json", exclude=set(choice.options))).items()


def _short(source: str) -> str:
    """Return a source without the recipe's folder or distribution, to fit a narrow table."""
    what, space, name = source.partition(" ")
    return f"{what}{space}{name.rpartition('/')[2]}"
