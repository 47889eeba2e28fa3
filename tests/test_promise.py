"""What is promised is enough: plugins, examples, templates and documentation import nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from public_surface import packages

import nfcore

ROOT = Path(__file__).parents[1]
SURFACE = {"nfcore": set(nfcore.__all__)} | {
    f"nfcore.{name}": set(package.__all__) for name, package in packages().items()
}


def snippets() -> Iterator[tuple[str, str]]:
    """Where each piece of Python is that outsiders learn from, and its text."""
    for pattern in ("plugins/*/src/**/*.py", "examples/**/*.py", "nfcore/plugin/scaffold/**/*.py.tmpl"):
        for file in sorted(ROOT.glob(pattern)):
            yield str(file.relative_to(ROOT)), file.read_text(encoding="utf-8").replace("$", "")
    for pattern in ("README.md", "docs/**/*.md", "plugins/*/README.md", "examples/**/*.md"):
        for file in sorted(ROOT.glob(pattern)):
            blocks = re.findall(r"^```python.*?\n(.*?)^```$", file.read_text(encoding="utf-8"), re.M | re.S)
            for number, block in enumerate(blocks):
                yield f"{file.relative_to(ROOT)}: block {number + 1}", block


def unpromised(text: str) -> Iterator[str]:
    """Yield what a piece of Python takes from nfcore that no public package lists."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "nfcore":
            listed = SURFACE.get(str(node.module), set())
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name not in listed)
        elif isinstance(node, ast.Import):
            yield from (
                alias.name
                for alias in node.names
                if alias.name.partition(".")[0] == "nfcore" and alias.name not in SURFACE
            )
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "nfcore"
            and node.attr not in SURFACE["nfcore"] | {"__version__"}
            and f"nfcore.{node.attr}" not in SURFACE
        ):
            yield f"nfcore.{node.attr}"


def test_what_plugins_examples_and_documentation_use_is_promised():
    found = {where: sorted(set(unpromised(text))) for where, text in snippets()}
    assert len(found) > 100
    assert {where: names for where, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "text",
    [
        "from nfcore.geometry.orbits import look_at",
        "from nfcore.errors import UserError",
        "from nfcore.geometry import nothing_of_the_kind",
        "from nfcore import scene",
        "import nfcore.report",
        "import nfcore\nnfcore.measuring.bench",
        "def f():\n    from nfcore.runs.folder import Run",
    ],
)
def test_an_internal_is_noticed(text):
    assert list(unpromised(text))


def test_the_names_of_a_public_package_are_there_and_each_has_one_home():
    homes: dict[str, str] = {}
    for package, names in SURFACE.items():
        module = nfcore if package == "nfcore" else packages()[package.removeprefix("nfcore.")]
        assert names <= set(dir(module))
        for name in names:
            getattr(module, name)
            assert name not in homes, f"{name} is promised by {homes[name]} and by {package}"
            homes[name] = package
