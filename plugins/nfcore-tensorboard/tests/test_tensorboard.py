"""What a run reports can be read back with TensorBoard's own reader, also after a kill."""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import tiny
import tiny_plugin
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from nfcore.config.resolve import configure
from nfcore.errors import NfcoreError
from nfcore.plugin import RunLogger
from nfcore.plugin.manager import PluginManager
from nfcore.runs import Artifacts, Run, Scheduler, StageReporter
from nfcore.ui.console import Console
from nfcore_tensorboard import logger, open_log
from nfcore_tensorboard.stage_log import StageLog

pytestmark = pytest.mark.slow


@pytest.fixture
def manager() -> PluginManager:
    """The tiny components, and a logger of this test's own."""
    return PluginManager(
        [tiny.source(tiny_plugin), tiny.source(RunLogger(open_log), "nfcore-tensorboard", "tensorboard")]
    )


@pytest.fixture
def run(tmp_path, manager) -> Run:
    return Run.create(tmp_path / "run", configure("tiny", manager), resume=False)


def read(run: Run, stage: str) -> EventAccumulator:
    return EventAccumulator(str(run.folder / "tensorboard" / stage), size_guidance={"images": 0}).Reload()


def points(events: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(tag)]


def do(run: Run, manager: PluginManager, *stages: str) -> None:
    for stage in stages:
        Scheduler(Artifacts(run, manager), Console(quiet=True)).do(stage)


def logged(run: Run, stage: str) -> list[tuple[int, float]]:
    """The curve as ``metrics.jsonl`` has it."""
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["psnr"]) for line in lines if line["stage"] == stage]


def test_curves_hold_what_the_metrics_file_holds(run, manager):
    do(run, manager, "teach", "distill")
    assert points(read(run, "teach"), "psnr") == [(3, 99.0)]
    curve = points(read(run, "distill"), "psnr")
    assert [step for step, _ in curve] == [10, 20, 30]
    assert curve == [(step, pytest.approx(psnr)) for step, psnr in logged(run, "distill")]


def test_previews_are_the_pictures_that_were_shown(run, manager, monkeypatch):
    monkeypatch.setattr("nfcore.runs.reporter._PREVIEW_SECONDS", -1.0)
    do(run, manager, "teach", "distill")
    images = read(run, "distill").Images("student")
    assert [event.step for event in images] == [10, 20, 30]
    last = np.array(Image.open(io.BytesIO(images[-1].encoded_image_string)))
    shown = np.array(Image.open(run.folder / "previews" / "student.png"))
    assert last.shape == (16, 32, 3)
    assert abs(last.astype(int) - shown.astype(int)).max() <= 1  # one rounds, the other cuts


def test_the_numbers_of_the_summary_are_there_at_the_last_step(run, manager):
    do(run, manager, "teach", "distill")
    events = read(run, "distill")
    figures = run.finished["distill"]
    counted = {"student.parameters", "student.macs", "student.look_ups", "student.look_up_bytes"}
    assert {"seconds.distill"} | counted == set(figures)
    for name, value in figures.items():
        assert points(events, f"figures/{name}") == [(30, pytest.approx(value))]
    assert "figures/scene" not in read(run, "teach").Tags()["scalars"]  # a text is no point of a curve


def test_the_configuration_is_there_as_text_and_the_scores_beside_the_settings(run, manager):
    do(run, manager, "teach", "distill", "finetune", "evaluate")
    (text,) = read(run, "teach").Tensors("config/text_summary")
    (shown,) = text.tensor_proto.string_val
    lines = [line[4:] for line in shown.decode().splitlines()]
    assert tomllib.loads("\n".join(lines)) == tomllib.loads((run.folder / "config.toml").read_text())

    events = read(run, "evaluate")
    summaries = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG)
    session = metadata.parse_session_start_info_plugin_data(summaries.plugin_data.content)
    assert session.hparams["distill.steps"].number_value == run.config.distill.steps
    assert session.hparams["student.encoding.name"].string_value == "directions"
    experiment = events.SummaryMetadata(metadata.EXPERIMENT_TAG)
    tags = {
        info.name.tag
        for info in metadata.parse_experiment_plugin_data(experiment.plugin_data.content).metric_infos
    }
    assert "figures/student.test.psnr" in tags
    assert tags <= set(events.Tags()["scalars"])  # each is a scalar of the same log, where the table looks for it


def test_a_stage_without_steps_has_its_figures(run, manager, monkeypatch):
    monkeypatch.setattr("nfcore.runs.stages.save_orbit", lambda *_, **__: None)
    do(run, manager, "teach", "distill", "finetune", "render")
    assert points(read(run, "render"), "figures/seconds.render")[0][0] == 0


def test_a_killed_stage_that_goes_on_has_one_curve(run, manager, monkeypatch):
    class Killed(BaseException):
        pass

    monkeypatch.setattr("nfcore.training.loop._REPORT_EVERY", 2)
    monkeypatch.setattr("nfcore.runs.checkpoints.LEAST_SECONDS", 0.0)
    monkeypatch.setattr("nfcore.runs.checkpoints.MOST_SHARE", 1e9)
    checkpoint = StageReporter.checkpoint

    def no_more_checkpoints_after_9_and_killed_at_15(self, step, state):
        if self.stage == "distill" and step == 15:
            raise Killed
        if step <= 9:
            checkpoint(self, step, state)

    do(run, manager, "teach")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(StageReporter, "checkpoint", no_more_checkpoints_after_9_and_killed_at_15)
        do(run, manager, "distill")
    assert [step for step, _ in points(read(run, "distill"), "psnr")] == [2, 4, 6, 8, 10, 12, 14]

    fresh = PluginManager(
        [tiny.source(tiny_plugin), tiny.source(RunLogger(open_log), "nfcore-tensorboard", "tensorboard")]
    )
    do(Run(run.folder), fresh, "distill")
    curve = points(read(run, "distill"), "psnr")
    assert [step for step, _ in curve] == list(range(2, 31, 2))
    assert curve == [(step, pytest.approx(psnr, rel=1e-6)) for step, psnr in logged(run, "distill")]


def test_a_stage_that_is_done_again_replaces_its_curve(run, manager):
    do(run, manager, "teach", "distill")
    run.forget("distill")
    do(run, manager, "distill")
    assert [step for step, _ in points(read(run, "distill"), "psnr")] == [10, 20, 30]


def test_a_failure_is_there_as_text(run, manager, monkeypatch):
    do(run, manager, "teach")
    monkeypatch.setattr(
        "nfcore.pipeline.distill", lambda *_, **__: (_ for _ in ()).throw(NfcoreError("the loss is nan"))
    )
    with pytest.raises(NfcoreError):
        do(run, manager, "distill")
    (text,) = read(run, "distill").Tensors("error/text_summary")
    assert text.tensor_proto.string_val == [b"the loss is nan"]
    assert manager.hooks.get_plugin("nfcore-tensorboard:tensorboard").logs == {}


def test_a_disk_that_takes_no_log_leaves_the_run_as_it_would_be(tmp_path, manager, capfd):
    runs = []
    for name in ("logged", "full"):
        run = Run.create(tmp_path / name, configure("tiny", manager), resume=False)
        if name == "full":
            (run.folder / "tensorboard").write_text("a file where the folder should be")
        for stage in ("teach", "distill"):
            Scheduler(Artifacts(run, manager), Console()).do(stage)
        runs.append(run)
    warnings = [line for line in capfd.readouterr().err.splitlines() if "switched off" in line]
    assert len(warnings) == 1
    assert warnings[0].startswith("nfcore-tensorboard 1.0 is switched off: nfcore_step: ")
    assert runs[0].distilled_file.read_bytes() == runs[1].distilled_file.read_bytes()


def test_a_disk_that_becomes_full_is_told_to_the_caller_and_keeps_what_was_reported(run):
    log = StageLog(run.folder / "tensorboard" / "distill")
    log.scalars(1, {"psnr": 20.0})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.events.path.stat().st_size + 10, limits[1]))
    try:
        with pytest.raises(OSError):
            log.scalars(2, {"psnr": 21.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert points(read(run, "distill"), "psnr") == [(1, 20.0)]


@pytest.mark.slow
def test_the_plugin_loads_without_torch_and_tensorboard():
    code = "import sys, nfcore_tensorboard; assert not {'torch', 'tensorboard', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_installed_entry_point_is_the_logger():
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="nfcore", name="tensorboard")
    assert entry.load() is logger
