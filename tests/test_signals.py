"""Ctrl-C, SIGTERM and SIGHUP end a run at its next step, with a checkpoint and the command that resumes."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest
from command_line import NFCORE, environment
from installed import source_folder

from nfcore.errors import Interrupted
from nfcore.runs.reporter import StageReporter
from nfcore.runtime import signals

# A plugin that makes each step of a run take long, so that there is time to interrupt it; once, in a single call.
HOOK = """
import time

import nfcore


@nfcore.hookimpl
def nfcore_step(stage, step):
    if stage == "distill":
        time.sleep({seconds})
"""


@pytest.fixture(autouse=True)
def nothing_ignored():
    """Handle signals as at a terminal, child processes too: what a script starts with ``&`` ignores Ctrl-C."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_signal_waits_for_the_next_checkpoint(run, console, monkeypatch):
    reporter = StageReporter(run, "teach", console)
    reporter.start(10)
    with pytest.raises(Interrupted) as stop, signals.handled(), signals.ending_at_steps("nfcore run x/ --resume"):
        signal.raise_signal(signal.SIGTERM)
        assert signals.received()
        reporter.checkpoint(3, lambda: {"answer": 42})
    assert (stop.value.exit_code, stop.value.resume) == (143, "nfcore run x/ --resume")
    assert StageReporter(run, "teach", console).restore() == {"answer": 42}


def test_a_second_signal_does_not_wait(run):
    with pytest.raises(Interrupted), signals.handled(), signals.ending_at_steps("again"):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")


def test_work_without_steps_is_interrupted_at_once():
    with pytest.raises(Interrupted) as stop, signals.handled():
        signal.raise_signal(signal.SIGINT)
    assert stop.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.handled():
            signal.raise_signal(signal.SIGHUP)
            assert not signals.received()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "seconds"),
    [(signal.SIGINT, 130, 0.2), (signal.SIGTERM, 143, 0.2), (signal.SIGHUP, 143, 60)],
)
def test_a_run_ends_soon_and_says_how_to_resume(tmp_path, number, code, seconds):
    source_folder(tmp_path / "plugin", "slow-dist", "slow_hook", HOOK.format(seconds=seconds))
    source_folder(tmp_path / "tiny", "tiny-dist", "tiny_in_a_folder")
    folders = ["--plugins-dir", "plugin", "--plugins-dir", "tiny"]
    run = [*folders, "run", "tiny", "--name", "it", "--quiet"]
    process = subprocess.Popen(
        [*NFCORE, *run],
        cwd=tmp_path,
        env=environment([__file__.rpartition("/")[0]]),
        text=True,
        stderr=subprocess.PIPE,
    )
    log = tmp_path / "runs" / "it" / "metrics.jsonl"
    while not (log.exists() and "distill" in log.read_text()):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert said.splitlines()[-1].endswith("runs/it/ --resume")
    assert "teach" in json.loads((tmp_path / "runs/it/state/results.json").read_text())
