"""Installed distributions that are broken in every way: each is named with its reason and harms nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import nfcore
from installed import QUICKLY, VERSION, install, offering

pytestmark = pytest.mark.slow

TEACHER = "nfcore.interfaces.teacher:Teacher"

#: What is wrong: the plugin's source, and what its reason must say.
BROKEN = {
    "import-error": ("raise ImportError('the driver is missing')", "ImportError: the driver is missing"),
    "syntax-error": ("def broken(:", "SyntaxError: invalid syntax"),
    "missing-package": ("import a_package_of_nobody", "No module named 'a_package_of_nobody'"),
    "exit-on-import": ("raise SystemExit('told to leave')", "SystemExit: told to leave"),
    "panic-on-import": ("class Panic(BaseException): ...\nraise Panic('in Rust')", "Panic: in Rust"),
    "misspelt-hook": (offering("teacher", "x", TEACHER).replace("components", "component"), "nfcore_component"),
    "undecorated-hook": (
        "def nfcore_components():\n    return []",
        "nfcore_components lacks its @nfcore.hookimpl",
    ),
    "no-hook": ("", "has no hook of nfcore"),
    "wrong-signature": (
        offering("teacher", "x", TEACHER).replace("components()", "components(wrong)"),
        "'wrong'",
    ),
    "raising-hook": (
        offering("teacher", "x", TEACHER).replace("yield", "raise ValueError('no luck')\n    yield"),
        "ValueError: no luck",
    ),
    "rubbish": (
        offering("teacher", "x", TEACHER).replace("yield", "yield ['teacher']\n    yield"),
        "yielded ['teacher'], not a Component",
    ),
    "unprintable": (
        "class Rude(Exception):\n    def __str__(self): raise RuntimeError\nraise Rude",
        "Rude: ",
    ),
    "rubbish-name": (offering("teacher", "Two Words", TEACHER), "lower case, words joined by dashes"),
    "rubbish-target": (offering("teacher", "x", "nfcore.teacher"), "a target is 'package.module:Class'"),
    "rubbish-kind": (offering("painter", "x", TEACHER), "unknown kind 'painter'"),
    "raising-commands": (
        "import nfcore\n@nfcore.hookimpl\ndef nfcore_commands(app):\n    raise OSError('gone')",
        "OSError: gone",
    ),
    "impossible-command": (
        "import nfcore\n@nfcore.hookimpl\ndef nfcore_commands(app):\n"
        "    @app.command()\n    def impossible(x: 'Undefined'): ...",
        "adds a command that can't be built",
    ),
    "stolen-command": (
        "import nfcore\n@nfcore.hookimpl\ndef nfcore_commands(app):\n    @app.command()\n    def run(): ...",
        "adds the command 'run', which nfcore has",
    ),
}  # fmt: skip
#: Components that are offered but can't be used: source, name, and what its reason must say.
UNUSABLE = {
    "too-old": (offering("teacher", "too-old", "never.imported:Old", level=0), "install a newer too-old"),
    "too-new": (offering("teacher", "too-new", "never.imported:New", level=9), "install an older too-new"),
    "no-class": (offering("teacher", "no-class", "no_class:Teecher"), "AttributeError: no_class has no 'Teecher'"),
    "no-module": (offering("teacher", "no-module", "no_module.body:Teacher"), "'no_module' is not a package"),
    "twin-a": (offering("teacher", "twin", TEACHER), "say twin-a/twin or twin-b/twin"),
    "twin-b": (offering("teacher", "twin", TEACHER), "say twin-a/twin or twin-b/twin"),
    "voxels-too": (offering("teacher", "voxels", TEACHER), "say nfcore-teachers/voxels or voxels-too/voxels"),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> list[Path]:
    """All of them at once, each in its own folder, with plugins that work first, between and last."""
    root = tmp_path_factory.mktemp("installed")
    sources = {name: source for name, (source, _) in (BROKEN | UNUSABLE).items()}
    for position, place in (("first", 0), ("between", len(sources) // 2), ("last", len(sources) + 2)):
        good = {f"good-{position}": "print('noise')\n" + offering("teacher", f"good-{position}", TEACHER)}
        items = list(sources.items())
        sources = dict([*items[:place], *good.items(), *items[place:]])
    folders = [install(root / name, name, source) for name, source in sources.items()]
    nameless = install(root / "nameless", "nameless", "")
    (nameless / f"nameless-{VERSION}.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\n\n")
    return [*folders, nameless]


@pytest.fixture(scope="module", params=["in one order", "in the other"])
def listed(request, path) -> dict:
    """What ``plugins list`` prints."""
    order = path if request.param == "in one order" else path[::-1]
    done = nfcore("plugins", "list", "--json", path=order, **QUICKLY)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def examined(path) -> list[dict]:
    """What ``doctor`` finds."""
    done = nfcore("doctor", "--json", path=path, **QUICKLY)
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert found["ok"] is False
    return found["checks"]


@pytest.mark.parametrize("name", ["syntax-error", "exit-on-import", "panic-on-import", "impossible-command"])
def test_help_works_with_a_broken_plugin_alone(path, name):
    folder = next(folder for folder in path if folder.name == name)
    done = nfcore("--help", path=[folder])
    assert done.returncode == 0
    assert done.stderr == ""
    assert {"run", "plugins", "doctor"} <= set(done.stdout.split())


def test_help_works_with_all_of_them(path):
    done = nfcore("--help", path=path)
    assert done.returncode == 0
    assert "make-scene" in done.stdout  # a command of a plugin that works


def test_all_other_components_go_on_working(listed):
    names = {(c["distribution"], c["name"]) for c in listed["components"]}
    assert {(f"good-{where}", f"good-{where}") for where in ("first", "between", "last")} <= names
    assert {("nfcore-scenes", "blender"), ("nfcore-mobiler2l", "points")} <= names
    usable = names - {(c["distribution"], c["name"]) for c in listed["unusable"]}
    assert {("good-last", "good-last"), ("nfcore-mobiler2l", "points")} <= usable


def test_only_the_culprits_are_named(listed):
    assert {row["distribution"] for row in listed["broken"]} == {*BROKEN, "an unnamed distribution"}
    assert {row["distribution"] for row in listed["unusable"]} == {*UNUSABLE, "nfcore-teachers"}
    assert {row["distribution"] for row in listed["disabled"]} == {"nfcore-coreml", "nfcore-onnx"}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_listed_with_its_version_and_reason(listed, name):
    (row,) = [row for row in listed["broken"] if row["distribution"] == name]
    assert row["version"] == VERSION
    assert row["entry_point"] == "entry"
    assert BROKEN[name][1] in row["problem"]
    assert "\n" not in row["problem"]


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_component_that_can_not_be_used_is_listed_with_its_reason(listed, name):
    (row,) = [row for row in listed["unusable"] if row["distribution"] == name]
    assert row["version"] == VERSION
    assert UNUSABLE[name][1] in row["problem"]


@pytest.mark.parametrize("name", BROKEN)
def test_the_doctor_names_a_broken_plugin_with_a_hint(examined, name):
    (found,) = [f for f in examined if f["check"] == f"plugin {name}:entry {VERSION}"]
    assert found["status"] == "broken"
    assert BROKEN[name][1] in found["text"]
    assert name in found["hint"]


@pytest.mark.parametrize("name", UNUSABLE)
def test_the_doctor_names_a_component_that_can_not_be_used(examined, name):
    (found,) = [f for f in examined if f["check"].endswith(f" of {name} {VERSION}") and "teacher" in f["check"]]
    assert found["status"] == "broken"
    assert UNUSABLE[name][1] in found["text"]


def test_the_doctor_finds_nothing_wrong_with_the_others(examined):
    innocent = ("good-", "nfcore-mobiler2l", "nfcore-scenes", "neural-field-core")
    assert not [f for f in examined if f["status"] == "broken" and any(name in f["check"] for name in innocent)]
    assert {"plugin nfcore-onnx:onnx 0.1.0"} <= {f["check"] for f in examined if f["status"] == "note"}


def test_a_name_that_a_broken_plugin_may_have_given_is_answered_with_the_broken_ones(path):
    done = nfcore("plugins", "info", "hidden", path=path)
    assert done.returncode == 2
    assert "unknown component 'hidden'" in done.stderr
    for name in ("import-error", "syntax-error", "rubbish", "misspelt-hook"):
        assert f"{name} {VERSION} is broken: " in done.stderr
        assert BROKEN[name][1] in done.stderr


def test_a_broken_plugin_that_is_asked_for_says_why(path):
    done = nfcore("plugins", "info", "missing-package", path=path)
    assert done.returncode == 2
    assert f"missing-package {VERSION} (entry) is broken: ModuleNotFoundError" in done.stderr


def test_a_command_that_a_broken_plugin_may_have_given_is_answered_with_the_broken_ones(path):
    done = nfcore("impossible", path=path)
    assert done.returncode == 2
    assert "no command 'impossible'" in done.stderr
    assert f"impossible-command {VERSION} is broken: " in done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("twin", "say twin-a/twin or twin-b/twin"),
        ("no-class", f"of no-class {VERSION} can't be loaded: AttributeError"),
        ("voxels-too/voxels", None),
    ],
)
def test_a_name_that_is_asked_for_names_its_culprit(path, name, said):
    done = nfcore("run", "quickstart", "--teacher", name, "--set", "student.encoding.nonsense=1", path=path)
    assert done.returncode == 2
    # A teacher is looked up before the encoding's options: this mistake is seen where the teacher is none.
    assert (said or "unknown option 'nonsense'") in done.stderr


def test_a_command_that_two_plugins_add_is_given_to_neither(tmp_path):
    source = (
        "import nfcore\n@nfcore.hookimpl\ndef nfcore_commands(app):\n    @app.command()\n    def greet(): ...\n"
    )
    path = [install(tmp_path / name, name, source) for name in ("greet-a", "greet-b")]
    done = nfcore("greet", path=path)
    assert done.returncode == 2
    for one, other in (("a", "b"), ("b", "a")):
        assert (
            f"greet-{one} {VERSION} is broken: adds the command 'greet', which is also added by greet-{other}"
            in (done.stderr)
        )


def test_two_distributions_with_one_module_are_told_apart(tmp_path):
    for name in ("owner", "lodger"):
        install(tmp_path / name, name, offering("teacher", name, TEACHER), "[nfcore]\nentry = owner\n")
    done = nfcore("plugins", "list", "--json", path=[tmp_path / "owner", tmp_path / "lodger"])
    (row,) = json.loads(done.stdout)["broken"]
    assert {row["distribution"]} < {"owner", "lodger"}
    assert "two packages have one name" in row["problem"]


def test_an_older_copy_further_down_the_path_is_not_seen(tmp_path):
    new = install(tmp_path / "new", "moved", offering("teacher", "new-name", TEACHER))
    old = install(tmp_path / "old", "moved", "", "[nfcore]\nold = a_module_that_is_gone\n")
    listed = json.loads(nfcore("plugins", "list", "--json", path=[new, old]).stdout)
    assert listed["broken"] == []
    assert "new-name" in {c["name"] for c in listed["components"]}
