"""A run that plugins or another process attack: it writes where it was started, and one process works on it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import tiny_plugin
from plugins_in_memory import hooks

from nfcore import NfcoreError
from nfcore.cli.output import print_markdown, print_table
from nfcore.config.resolve import configure
from nfcore.plugin.manager import PluginManager
from nfcore.runs import execute
from nfcore.runs.lock import locked
from nfcore.runtime import signals
from nfcore.runtime.plain_text import markdown, plain

HOLDER = """
import sys
from pathlib import Path
from nfcore.runs.lock import locked

with locked(Path(sys.argv[1]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_another_process_that_works_on_a_run_is_named_until_it_is_killed(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(NfcoreError, match=rf"process {holder.pid} on .*, since \d{{4}}-"),
            locked(tmp_path, print),
        ):
            pytest.fail("two processes work on it")
        holder.send_signal(signal.SIGKILL)
    with locked(tmp_path, print):
        assert str(os.getpid()) in (tmp_path / "state" / "run.lock").read_text()


def test_a_lock_that_is_a_link_leads_nowhere(tmp_path):
    (tmp_path / "photo").write_text("precious")
    (tmp_path / "run" / "state").mkdir(parents=True)
    (tmp_path / "run" / "state" / "run.lock").symlink_to(tmp_path / "photo")
    with pytest.raises((NfcoreError, OSError), match="run"), locked(tmp_path / "run", print):
        pass
    assert (tmp_path / "photo").read_text() == "precious"


@pytest.mark.slow
def test_hooks_that_leave_the_folder_or_interrupt_change_nothing_of_a_run(tmp_path, monkeypatch, console):
    def leave(stage):
        os.chdir("/")

    def interrupt(stage):
        raise KeyboardInterrupt

    def run(*plugins):
        manager = PluginManager([tiny.source(tiny_plugin), *plugins])
        shutil.rmtree("it", ignore_errors=True)
        with signals.handled():
            execute("it", configure("tiny", manager), stage="teach", components=manager, console=console)
        files = {str(path.relative_to("it")) for path in Path("it").rglob("*") if path.is_file()}
        return files, Path("it/teacher.safetensors").read_bytes()

    monkeypatch.chdir(tmp_path)
    assert run() == run(
        tiny.source(hooks(nfcore_step=leave), "leave-dist"), tiny.source(hooks(nfcore_step=interrupt), "kb-dist")
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it"]


@pytest.mark.parametrize("text", ["a[/]b", "a[/red]", "[bold]c", "\x1b[31md", "\u202ee"])
def test_a_name_is_shown_as_it_is_written(capsys, text):
    print_table(["run", text], [[text, "1"]], title=text)
    print_markdown(["run"], [[text]], title=text)
    out = capsys.readouterr().out
    assert out.count(plain(text)) >= 3
    assert markdown(text) in out
    assert "\x1b[31m" not in out
    assert "\u202e" not in out
