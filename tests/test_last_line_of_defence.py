"""Whatever is raised is one line that names whose fault it is, with its traceback in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny
from installed import source_folder
from plugins_in_memory import hooks, offering

import nfcore
from nfcore import PluginError, UserError
from nfcore.cli.defects import described
from nfcore.errors import TrialOver
from nfcore.interfaces.boundaries import calling
from nfcore.io import read_file
from nfcore.plugin import installed
from nfcore.plugin.entry_points import PluginSource
from nfcore.plugin.manager import PluginManager
from nfcore.runtime import signals

UNREADABLE = "type('X', (), {'__str__': lambda self: 1 / 0})()"
# Its plugin object's class is nfcore's own: its package is known by its entry point alone.
PLUGIN = """
import sys

import nfcore
from nfcore.plugin import RunLogger


class Boom(RunLogger):
    @nfcore.hookimpl
    def nfcore_commands(self, app):
        @app.command()
        def boom(what: str):
            raise eval(what)


Boom.__module__ = "nfcore.plugin.run_logger"
logger = Boom(lambda run: None)
"""


@pytest.fixture
def boom(command, tmp_path, monkeypatch):
    """Run a plugin's command that raises what it is told."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "logs"))
    source_folder(tmp_path / "plugin", "boom-dist", "boom_plugin:logger", PLUGIN)
    # By its whole path, since the plugins of a folder are loaded once a process.
    return lambda what: command("--plugins-dir", tmp_path / "plugin", "boom", what, cwd=tmp_path)


@pytest.mark.parametrize(
    "what", ["ValueError('no')", "BaseException('no')", "GeneratorExit('no')", "KeyboardInterrupt('no')"]
)
def test_what_a_plugins_command_raises_names_the_plugin_and_a_log(boom, what):
    done = boom(what)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, line.partition(" failed: ")[0]) == (1, "nfcore: boom-dist 1")
    assert "boom_plugin.py:" in line
    assert what.partition("(")[0] in Path(line.rpartition(" ")[2]).read_text()


@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("SystemExit(7)", 7, ""),
        ("SystemExit", 0, ""),
        ("SystemExit('sorry')", 1, "nfcore: sorry\n"),
        ("SystemExit([1])", 1, "nfcore: [1]\n"),
        (
            "SystemExit(type('X', (), {'__str__': lambda self: 1 / 0})())",
            1,
            "nfcore: (its message can't be read)\n",
        ),
    ],
)
def test_a_plugins_command_may_end_as_a_script_may(boom, what, code, said):
    done = boom(what)
    assert (done.returncode, done.stderr) == (code, said)


def test_an_endless_message_is_cut(boom):
    done = boom("nfcore.UserError('x' * 10**6)")
    assert done.returncode == 2
    assert len(done.stderr) < 5000


class Ends(nfcore.Loss):
    """A loss that ends the process as soon as it is built."""

    class Options(nfcore.Options):
        """It has none."""

    def __init__(self, options):
        raise SystemExit(0)

    def forward(self, image, target):
        raise NotImplementedError


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt(), BaseException("no")])
def test_a_component_that_ends_the_process_is_named_instead(error):
    loss = tiny.manager().build("loss", "square", {})
    with pytest.raises(PluginError, match="tiny-dist/square"), signals.handled(), calling(loss, "forward"):
        raise error


def test_a_trial_that_nfcore_ends_is_no_fault_of_the_component():
    with pytest.raises(TrialOver), calling(tiny.manager().build("loss", "square", {}), "forward"):
        raise TrialOver


def test_a_component_that_ends_the_process_when_it_is_built_is_named_instead():
    ends = nfcore.Component("loss", "ends", f"{__name__}:Ends")
    manager = PluginManager([tiny.source(offering(ends), "ends-dist")])
    with pytest.raises(UserError, match=r"ends-dist/ends .* can't be built: SystemExit"):
        manager.build("loss", "ends", {})


def test_a_fault_of_nfcore_names_the_last_file_and_no_plugin(tmp_path, monkeypatch):
    def load():
        return hooks(nfcore_step=lambda: None)

    manager = PluginManager([PluginSource("some-dist", "1", "some", load, "some_package")])
    monkeypatch.setattr(installed, "_manager", manager)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "figures").write_text("30.5")
    read_file(tmp_path / "figures")
    try:
        raise AssertionError("\x1b[31mred\n")
    except AssertionError as error:
        said = described(error)
    assert said.startswith(r"nfcore failed: AssertionError: \x1b[31mred")
    assert str(tmp_path / "figures") in said
    assert (tmp_path / "nfcore" / "log").is_dir()


def test_a_name_that_is_no_text_is_refused_before_anything_is_written(command, tmp_path):
    done = command("teach", "a\udcff", "--recipe", "tiny", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "nfcore: a\\udcff: not text in UTF-8: rename it\n")
    assert not list(tmp_path.iterdir())
