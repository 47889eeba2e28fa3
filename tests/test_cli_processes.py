"""The command line in a process of its own: quick where it lists, short where it fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import assert_fails, environment, nfcore
from installed import source_folder

pytestmark = pytest.mark.slow

PLUGIN = """
from pathlib import Path
import nfcore
from tiny_plugin import nfcore_components, nfcore_recipes

@nfcore.hookimpl
def nfcore_commands(app):
    @app.command()
    def greet():
        print("hello from a plugin")

    @app.command()
    def fill(path: Path):
        raise OSError(28, "No space left on device", str(path))
"""


@pytest.fixture
def plugins(tmp_path) -> Path:
    """A folder of sources with the tiny components, two commands, and a broken plugin beside them."""
    for name, code in {"own": PLUGIN, "broken": "import no_such_module"}.items():
        source_folder(tmp_path / name, f"{name}-dist", f"plugin_{name}", code)
    return tmp_path


TINY = Path(__file__).parent


# -- what needs no torch -----------------------------------------------------------------------------

WITHOUT_TORCH = """
import sys
sys.argv = ["nfcore", *sys.argv[1:]]
from nfcore.cli import main
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
heavy = {"torch", "numpy", "safetensors", "imageio", "onnx"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["export", "--help"],
        ["plugins", "list"],
        ["plugins", "list", "--json"],
        ["recipes", "list"],
        ["recipes", "show", "quickstart"],
    ],
    ids=" ".join,
)
def test_listings_and_help_do_not_import_torch(arguments):
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_importing_nfcore_does_not_import_torch_but_has_its_whole_surface():
    code = "import sys, nfcore; assert 'torch' not in sys.modules; [getattr(nfcore, n) for n in nfcore.__all__]"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_json_lists_the_same_as_the_tables():
    listed = json.loads(nfcore("plugins", "list", "--json").stdout)
    assert listed["broken"] == []
    table = nfcore("plugins", "list").stdout
    for component in listed["components"]:
        assert set(component) == {"kind", "name", "distribution", "version", "summary"}
        assert component["name"] in table
    recipes = json.loads(nfcore("recipes", "list", "--json").stdout)
    assert {"quickstart", "mobiler2l"} <= {recipe["name"] for recipe in recipes}
    shown = json.loads(nfcore("recipes", "show", "quickstart", "--json").stdout)
    assert shown["student"]["scale"] >= 1


# -- plugins -----------------------------------------------------------------------------------------


def test_a_broken_plugin_is_listed_with_its_reason_beside_those_that_work(plugins):
    done = nfcore("--plugins-dir", plugins, "plugins", "list", "--json", path=[TINY])
    listed = json.loads(done.stdout)
    assert {"own-dist", "nfcore-onnx"} <= {c["distribution"] for c in listed["components"]}
    assert listed["broken"] == [
        {
            "distribution": "broken-dist",
            "version": "1",
            "entry_point": "entry",
            "problem": "ModuleNotFoundError: No module named 'no_such_module'",
        }
    ]
    assert (
        "broken: broken-dist 1 (entry): ModuleNotFoundError"
        in nfcore("--plugins-dir", plugins, "plugins", "list", path=[TINY]).stdout
    )


def test_help_works_whatever_the_plugins_do(plugins):
    done = nfcore("--plugins-dir", plugins, "--help", path=[TINY])
    assert done.returncode == 0, done.stderr
    assert "greet" in done.stdout


def test_a_plugin_can_add_a_command(plugins):
    assert nfcore("--plugins-dir", plugins, "greet", path=[TINY]).stdout == "hello from a plugin\n"


def test_the_environment_shuts_plugins_out():
    only = json.loads(nfcore("plugins", "list", "--json", NFCORE_PLUGINS_ONLY="nfcore-onnx").stdout)
    assert {c["distribution"] for c in only["components"]} == {"nfcore-onnx"}
    without = json.loads(nfcore("plugins", "list", "--json", NFCORE_PLUGINS_DISABLE="nfcore-onnx").stdout)
    assert "nfcore-onnx" not in {c["distribution"] for c in without["components"]}


def test_a_plugins_folder_without_plugins_is_a_users_error(tmp_path):
    assert_fails(nfcore("--plugins-dir", tmp_path, "plugins", "list"), 2, "no pyproject.toml with")


# -- mistakes and failures --------------------------------------------------------------------------


def test_a_failing_disk_exits_with_1_and_names_the_file(plugins):
    done = nfcore("--plugins-dir", plugins, "fill", "/disk/student", path=[TINY])
    assert_fails(done, 1, "/disk/student: No space left on device")


def test_a_run_on_a_disk_that_fails_exits_with_1_and_goes_on_once_there_is_room(plugins, tmp_path):
    """Files over 4 KiB can't be written: the teacher fits, the orbit video does not."""
    code = (
        "import resource, signal, sys; from nfcore.cli import main; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); main()"
    )
    options = ["--plugins-dir", str(plugins), "run", "tiny", "--runs", str(tmp_path / "runs"), "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", code, *options], capture_output=True, text=True, env=environment([TINY])
    )
    assert_fails(done, 1, "File too large")
    run = tmp_path / "runs" / "tiny"
    assert "teach" in json.loads((run / "state" / "results.json").read_text())
    assert not (run / "previews" / "orbit.mp4").exists()
    assert not list(run.rglob(".*")), "no temporary is left behind"
    again = nfcore(*options, "--resume", "--json", path=[TINY])
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["export.exact.max_error"] == 0.0
    assert (run / "previews" / "orbit.mp4").stat().st_size > 4096


def test_an_interrupt_from_the_keyboard_has_no_traceback(plugins, tmp_path):
    code = (
        "import sys; from nfcore.cli import main; import nfcore.pipeline as s;"
        "s.distill = lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt); main()"
    )
    options = ["--plugins-dir", str(plugins), "run", "tiny", "--runs", str(tmp_path / "runs"), "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", code, *options], capture_output=True, text=True, env=environment([TINY])
    )
    assert done.returncode not in (0, 2)
    assert "Traceback" not in done.stderr


def test_debug_adds_the_traceback():
    done = nfcore("--debug", "run", "quickstrat")
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("nfcore: unknown recipe 'quickstrat'")


@pytest.mark.parametrize(("output", "code"), [(">&-", 0), (">&- 2>&-", 0), (">/dev/full", 1)])
def test_a_standard_output_that_takes_nothing_costs_a_line_at_most(output, code):
    command = f"exec {sys.executable} -P -m nfcore recipes list {output}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment())
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == code
    assert "failed" not in done.stderr
