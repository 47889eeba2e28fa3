"""What a run reports is in the files that W&B syncs; a library that raises costs one line."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny
import tiny_plugin

from nfcore.config.resolve import configure
from nfcore.plugin import RunLogger
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Artifacts, Run, Scheduler
from nfcore.ui.console import Console
from nfcore_wandb import logger, open_log

pytestmark = pytest.mark.slow  # wandb starts a process

_BLOCK, _WHOLE, _LAST = 32768, 1, 4


@pytest.fixture(autouse=True)
def offline(monkeypatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)


@pytest.fixture
def manager() -> PluginManager:
    return PluginManager([tiny.source(tiny_plugin), tiny.source(RunLogger(open_log), "nfcore-wandb", "wandb")])


@pytest.fixture
def run(tmp_path, manager) -> Run:
    return Run.create(tmp_path / "run", configure("tiny", manager), resume=False)


def do(run: Run, manager: PluginManager, *stages: str) -> None:
    for stage in stages:
        Scheduler(Artifacts(run, manager), Console()).do(stage)


def close(manager: PluginManager) -> None:
    """End the open W&B runs and wandb's service, as the end of the process does.

    ``finish`` alone doesn't wait for the last write: the service closes the file after it has answered.
    """
    import wandb  # takes seconds: only in the worker that runs this file

    for tracked in manager.hooks.get_plugin("nfcore-wandb:wandb").logs.values():
        tracked.opened.finish()
    wandb.teardown()


def chunks(data: bytes) -> Iterator[bytes]:
    """The records of a ``.wandb`` file: seven bytes of header, then LevelDB's log in blocks of 32 KiB."""
    position, record = 7, b""
    while position < len(data):
        left = -position % _BLOCK or _BLOCK
        if left < 7:  # too little for a header: zeros up to the next block
            position += left
            continue
        _, size, kind = struct.unpack_from("<IHB", data, position)
        record += data[position + 7 : position + 7 + size]
        position += 7 + size
        if kind in (_WHOLE, _LAST):
            yield record
            record = b""


def records(folder: Path) -> list:
    """What ``wandb sync`` would send of one W&B run."""
    from wandb.proto import wandb_internal_pb2  # takes seconds: only in the worker that runs this file

    (file,) = folder.glob("*.wandb")
    return [wandb_internal_pb2.Record.FromString(chunk) for chunk in chunks(file.read_bytes())]


def items(part) -> dict:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in part}


def curve(found: list, name: str) -> list[tuple[int, float]]:
    stage = name.partition("/")[0]
    rows = [items(record.history.item) for record in found if record.HasField("history")]
    return [(row[f"{stage}/step"], row[name]) for row in rows if name in row]


def test_a_run_is_one_offline_run_with_settings_curves_previews_and_figures(run, manager, monkeypatch):
    monkeypatch.setattr("nfcore.runs.reporter._PREVIEW_SECONDS", -1.0)
    do(run, manager, "teach", "distill")
    close(manager)
    (folder,) = (run.folder / "wandb").glob("offline-run-*")
    found = records(folder)
    (begun,) = [record.run for record in found if record.HasField("run")]
    assert begun.display_name == "run"
    logged = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    assert curve(found, "distill/psnr") == [
        (line["step"], pytest.approx(line["psnr"])) for line in logged if line["stage"] == "distill"
    ]
    assert list((folder / "files/media/images/distill").glob("student_*.png"))
    settings, figures = {}, {}
    for record in found:
        settings |= items(record.config.update)
        figures |= items(record.summary.update)
    assert settings["distill.steps"] == run.config.distill.steps
    assert figures["student.parameters"] == run.finished["distill"]["student.parameters"]


def test_a_resumed_run_keeps_its_id_and_a_stage_that_is_done_again_gets_a_new_one(run, manager):
    def id_() -> str:
        return json.loads((run.folder / "wandb" / "nfcore.json").read_text())["id"]

    do(run, manager, "teach")
    first = id_()
    do(run, manager, "distill")
    assert id_() == first
    run.forget("distill")
    do(run, manager, "distill")
    assert id_() != first
    close(manager)
    assert len(list((run.folder / "wandb").glob("offline-run-*"))) == 2


def test_a_library_that_raises_costs_one_line_and_leaves_the_run_as_it_would_be(
    tmp_path, manager, monkeypatch, capfd
):
    def raising(*_, **__):
        raise TimeoutError("the server does not answer")

    monkeypatch.setattr("wandb.init", raising)
    run = Run.create(tmp_path / "run", configure("tiny", manager), resume=False)
    do(run, manager, "teach", "distill")
    (warning,) = [line for line in capfd.readouterr().err.splitlines() if "switched off" in line]
    assert warning.startswith("nfcore-wandb 1.0 is switched off: nfcore_stage_started: ")
    assert "the server does not answer" in warning
    assert "distill" in run.finished


def test_the_plugin_loads_without_torch_and_wandb():
    code = "import sys, nfcore_wandb; assert not {'torch', 'wandb', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_installed_entry_point_is_the_logger():
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="nfcore", name="wandb")
    assert entry.load() is logger


def test_where_it_is_disabled_nothing_is_tracked_and_nothing_written(run, manager, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    do(run, manager, "teach")
    assert not (run.folder / "wandb").exists()
