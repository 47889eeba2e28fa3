"""What a run reports can be read back with MLflow's own client; a server that is not there costs one line."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import tiny
import tiny_plugin

from nfcore.config.resolve import configure
from nfcore.plugin import RunLogger
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Artifacts, Run, Scheduler
from nfcore.runs.reporter import StageReporter
from nfcore.ui.console import Console
from nfcore_mlflow import logger, open_log

pytestmark = pytest.mark.slow  # importing MLflow takes seconds


def new_manager() -> PluginManager:
    """The tiny components, and a logger of this test's own, as a new process has it."""
    return PluginManager([tiny.source(tiny_plugin), tiny.source(RunLogger(open_log), "nfcore-mlflow", "mlflow")])


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch) -> None:
    """MLflow's store of files, which is made faster than a database."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())


@pytest.fixture
def run(tmp_path) -> Run:
    return Run.create(tmp_path / "run", configure("tiny", new_manager()), resume=False)


def do(run: Run, *stages: str, manager: PluginManager | None = None) -> None:
    for stage in stages:
        Scheduler(Artifacts(run, manager or new_manager()), Console()).do(stage)


def client() -> Any:
    """MLflow's own, imported late: that takes seconds, which only the worker that runs this file has to spend."""
    from mlflow import MlflowClient

    return MlflowClient()


def tracked() -> list:
    """The tracked runs of nfcore's experiment, the first one first."""
    experiment = client().get_experiment_by_name("nfcore")
    return client().search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])


def curve(run, name: str) -> list[int]:
    return sorted(point.step for point in client().get_metric_history(run.info.run_id, name))


def test_a_run_is_one_tracked_run_with_settings_curves_previews_and_figures(run, monkeypatch):
    monkeypatch.setattr("nfcore.runs.reporter._PREVIEW_SECONDS", -1.0)
    do(run, "teach", "distill")  # each with a logger of its own: a command for each stage
    (found,) = tracked()
    assert found.info.run_name == "run"
    assert found.info.status == "FINISHED"
    assert found.data.params["distill.steps"] == str(run.config.distill.steps)
    assert curve(found, "distill/psnr") == [10, 20, 30]
    assert found.data.metrics["student.parameters"] == run.finished["distill"]["student.parameters"]
    assert found.data.tags["scene"] == run.finished["teach"]["scene"]
    pictures = client().list_artifacts(found.info.run_id, "previews")
    assert "previews/distill-student-000030.png" in {picture.path for picture in pictures}


def test_a_killed_stage_that_is_resumed_has_one_curve(run, monkeypatch):
    class Killed(BaseException):
        pass

    monkeypatch.setattr("nfcore.training.loop._REPORT_EVERY", 2)
    monkeypatch.setattr("nfcore_mlflow.tracked_run._SEND_SECONDS", -1.0)
    monkeypatch.setattr("nfcore.runs.checkpoints.LEAST_SECONDS", 0.0)
    monkeypatch.setattr("nfcore.runs.checkpoints.MOST_SHARE", 1e9)
    checkpoint = StageReporter.checkpoint

    def killed_at_15_with_a_checkpoint_at_9(self, step, state):
        if self.stage == "distill" and step == 15:
            raise Killed
        if step <= 9:
            checkpoint(self, step, state)

    do(run, "teach")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(StageReporter, "checkpoint", killed_at_15_with_a_checkpoint_at_9)
        do(run, "distill")
    do(Run(run.folder), "distill")
    (found,) = tracked()
    assert curve(found, "distill/psnr") == list(range(2, 31, 2))


def test_a_stage_that_is_done_again_is_a_second_tracked_run(run):
    do(run, "teach", "distill")
    run.forget("distill")
    do(run, "distill")
    first, second = tracked()
    assert curve(first, "distill/psnr") == curve(second, "distill/psnr") == [10, 20, 30]
    assert curve(second, "teach/psnr") == []


def test_a_failure_is_a_tag_of_a_run_that_failed(run, monkeypatch):
    def failing(*_, **__):
        raise RuntimeError("the loss is nan")

    do(run, "teach")
    monkeypatch.setattr("nfcore.pipeline.distill", failing)
    with pytest.raises(RuntimeError):
        do(run, "distill")
    (found,) = tracked()
    assert found.info.status == "FAILED"
    assert "the loss is nan" in found.data.tags["error"]


def test_a_server_that_is_not_there_costs_one_line_and_leaves_the_run_as_it_would_be(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    runs = []
    for name in ("tracked", "alone"):
        if name == "alone":
            monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        run = Run.create(tmp_path / name, configure("tiny", new_manager()), resume=False)
        do(run, "teach", "distill", manager=new_manager())
        runs.append(run)
    (warning,) = [line for line in capfd.readouterr().err.splitlines() if "switched off" in line]
    assert warning.startswith("nfcore-mlflow 1.0 is switched off: ")
    assert "127.0.0.1" in warning
    assert runs[0].distilled_file.read_bytes() == runs[1].distilled_file.read_bytes()


def test_the_plugin_loads_without_torch_and_mlflow():
    code = "import sys, nfcore_mlflow; assert not {'torch', 'mlflow', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_installed_entry_point_is_the_logger():
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="nfcore", name="mlflow")
    assert entry.load() is logger


def test_without_a_place_nothing_is_tracked_and_nothing_written(run, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    do(run, "teach")
    assert not (run.folder / "mlflow").exists()
