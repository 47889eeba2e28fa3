"""The scaffold: a plugin's complete distribution, written from the templates next to this file.

``common/`` has the files of every plugin, and a folder for each kind its component and tests. A template's path
is that of the file that it becomes: ``__package__`` stands for the package, ``dot_`` for a leading dot.
"""

from __future__ import annotations

import datetime
import importlib.util
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

import nfcore
from nfcore.errors import UserError, nearest
from nfcore.io.atomic import atomic_path
from nfcore.plugin.components import INTERFACE_LEVELS, KINDS, Kind
from nfcore.plugin.manager import PluginManager


@dataclass(frozen=True)
class _About:
    """The texts of a kind in the templates."""

    interface: str
    summary: str
    use: str
    recipe: str


_ABOUT: dict[Kind, _About] = {
    "ray_source": _About(
        "RaySource",
        "A chequered ball in closed form",
        "run quickstart --scene {name}",
        'scene = {{ name = "{name}", chequers = 8 }}',
    ),
    "teacher": _About(
        "Teacher",
        "Density and colour in one dense voxel grid",
        "run quickstart --teacher {name} --set teach.steps=400",
        'teacher = {{ name = "{name}", resolution = 48 }}',
    ),
    "encoding": _About(
        "RayEncoding",
        "Plücker coordinates of rays, as sines and cosines",
        "run quickstart --set student.encoding={name}",
        '[student]\nencoding = {{ name = "{name}", octaves = 4 }}',
    ),
    "backbone": _About(
        "Backbone",
        "Residual blocks of small convolutions",
        "run quickstart --set student.backbone={name}",
        '[student]\nbackbone = {{ name = "{name}", blocks = 4 }}',
    ),
    "upsampler": _About(
        "Upsampler",
        "Bilinear interpolation, then convolutions",
        "run quickstart --set student.upsampler={name}",
        '[student]\nupsampler = {{ name = "{name}", channels = 16 }}',
    ),
    "exporter": _About(
        "Exporter",
        "A torch.export .pt2 file, without Python classes",
        "run quickstart --export {name}",
        '[export.{name}]\nname = "{name}"',
    ),
    "loss": _About(
        "Loss",
        "Squared errors, with a smaller weight where the teacher sees nothing",
        "run quickstart --set distill.loss={name}",
        '[distill]\nloss = {{ name = "{name}", background = 0.5 }}',
    ),
}
#: Names that the templates import: a component's class must not shadow one of them.
_IMPORTED = {*dir(nfcore), "Annotated", "Field", "Path", "Template", "Tensor", "Unit"}


@dataclass(frozen=True)
class NewPlugin:
    """The files of a new plugin.

    Args:
        folder: the distribution's folder.
        component: the name of its component.
        use: the arguments of ``nfcore`` that run a pipeline with it.
        files: all files, relative to ``folder``.

    """

    folder: Path
    component: str
    use: str
    files: tuple[str, ...]


def write_plugin(name: str, kind: str, out: Path, components: PluginManager) -> NewPlugin:
    """Write the distribution ``name`` with a working component of ``kind`` to the new folder ``out/name``.

    Raises:
        UserError: an unknown kind, a name that is no distribution's or that is taken, a folder that exists.

    """
    if kind not in KINDS:
        raise UserError(f"unknown kind {kind!r}; {nearest(kind, KINDS)}")
    component = _free_name(name, kind, components)
    folder = out / name
    if folder.exists():
        raise UserError(f"{folder}: exists already; choose another name, or another folder with --out")
    values = _values(name, kind, component)
    written = []
    with atomic_path(folder) as temporary:
        for template, path in _templates(kind, values["package"]):
            target = temporary / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(template.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
            written.append(path)
    return NewPlugin(folder, component, values["use"], tuple(sorted(written)))


def _free_name(name: str, kind: Kind, components: PluginManager) -> str:
    """Return the component's name in the distribution ``name``, if both are free."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UserError(f"{name!r} is no name for a plugin: lower case, words joined by dashes, such as my-{kind}")
    package = name.replace("-", "_")
    if keyword.iskeyword(package):
        raise UserError(f"{name!r} is a keyword of Python, so no package can have it; choose another name")
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
    else:
        raise UserError(f"{name} {version} is installed already; choose another name")
    if importlib.util.find_spec(package) is not None:
        raise UserError(f"Python has a module {package!r} already; choose another name")
    component = name.removeprefix("nfcore-")
    for plugin, taken in components.components(kind):
        if taken.name == component:
            raise UserError(f"{plugin} has a {kind} {component!r} already; choose another name")
    return component


def _values(name: str, kind: Kind, component: str) -> dict[str, str]:
    about = _ABOUT[kind]
    cls = _camel(component)
    major, minor = nfcore.__version__.split(".")[:2]
    return {
        "name": name,
        "package": name.replace("-", "_"),
        "entry_point": component,
        "level": str(INTERFACE_LEVELS[kind]),
        "component": component,
        "cls": cls if cls not in _IMPORTED else cls + _camel(kind),
        "kind": kind,
        "kind_text": kind.replace("_", " "),
        "interface": about.interface,
        "summary": about.summary,
        "use": about.use.format(name=component),
        "recipe": about.recipe.format(name=component),
        "core": f"{major}.{minor}",
        "core_limit": f"{major}.{int(minor) + 1}",
        "year": str(datetime.datetime.now(datetime.UTC).year),
    }


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in re.split("[-_]", name))


def _templates(kind: Kind, package: str) -> Iterator[tuple[Traversable, str]]:
    """Yield all templates of a kind, each with the path of the file that it becomes."""
    root = resources.files(__name__)
    for part in ("common", kind):
        for template, path in _files(root / part, ""):
            yield template, path.replace("__package__", package).replace("dot_", ".").removesuffix(".tmpl")


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[Traversable, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".tmpl"):
            yield entry, prefix + entry.name
