"""Minutes for a whole run: they are turned into steps once, when it starts, and change no random number."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import tiny

from nfcore import NfcoreError, UserError, pipeline
from nfcore.config import configure
from nfcore.errors import TrialOver
from nfcore.runs import Artifacts, execute
from nfcore.runs.trial import Moment, Stopwatch

pytestmark = pytest.mark.slow

SHARES = ["teach.share=0.2", "distill.share=0.4", "finetune.share=0.1"]


def configured(*changes: str):
    return configure("tiny", tiny.manager(), changes=changes, exports="")


def executed(folder: Path, *changes: str, **options) -> Artifacts:
    return execute(folder, configured(*changes), components=tiny.manager(), **options)


@pytest.fixture(scope="module")
def timed(tmp_path_factory) -> Path:
    """A finished run of a third of a second."""
    folder = tmp_path_factory.mktemp("minutes") / "run"
    executed(folder, "minutes=0.005", *SHARES)
    return folder


def test_the_run_keeps_the_steps_and_the_minutes_that_they_follow_from(timed):
    config = execute(timed, components=tiny.manager()).config
    assert config.minutes is None
    assert config.calibrated_minutes == 0.005
    assert config.distill.steps not in (0, 30)  # the recipe has 30
    # the same speed, but distilling has four times the share
    assert config.distill.steps == pytest.approx(4 * config.finetune.steps, abs=4)


def test_the_same_command_resumes_the_run_with_its_steps(timed, monkeypatch):
    monkeypatch.setattr("nfcore.runs.calibration.calibrate", lambda *_: pytest.fail("it has its steps"))
    before = (timed / "config.toml").read_bytes()
    executed(timed, "minutes=0.005", *SHARES, resume=True)
    assert (timed / "config.toml").read_bytes() == before


def test_a_teacher_that_shows_nothing_after_a_moment_is_tried_for_longer(tmp_path, monkeypatch):
    """On a slow machine, or while kernels are compiled for the first time."""
    moments, distill = [], pipeline.distill

    def empty_at_first(student, teacher, source, config, **options):
        moments.append(config.seconds)
        if len(moments) == 1:
            raise NfcoreError("the teacher's scene is empty")
        return distill(student, teacher, source, config, **options)

    monkeypatch.setattr(pipeline, "distill", empty_at_first)
    assert executed(tmp_path / "run", "minutes=0.005", *SHARES).config.calibrated_minutes == 0.005
    assert moments[1] == 2 * moments[0]


def test_other_minutes_are_another_run(timed):
    with pytest.raises(UserError, match="minutes"):
        executed(timed, "minutes=0.006", *SHARES, resume=True)


def test_minutes_need_a_share_for_each_stage(tmp_path):
    with pytest.raises(UserError, match=r"set finetune\.share"):
        executed(tmp_path / "run", "minutes=1", *SHARES[:2])
    assert not (tmp_path / "run").exists()


def test_minutes_and_steps_together_are_refused():
    with pytest.raises(UserError, match=r"teach\.steps"):
        configured("minutes=1", "teach.steps=3")


def test_an_estimate_is_one_line_and_changes_no_weight(tmp_path, console, monkeypatch):
    monkeypatch.setattr("nfcore.runs.calibration.FEW_STEPS", 1)
    notes: list[str] = []
    monkeypatch.setattr(console, "note", notes.append)
    executed(tmp_path / "estimated", estimate=True, console=console)
    executed(tmp_path / "plain")
    (line,) = [note for note in notes if "estimate" in note]
    assert "teach" in line
    assert "distill" in line
    for file in ("teacher.safetensors", "student.safetensors"):
        assert (tmp_path / "estimated" / file).read_bytes() == (tmp_path / "plain" / file).read_bytes()


def test_short_runs_are_not_estimated(tmp_path, monkeypatch):
    monkeypatch.setattr("nfcore.runs.calibration.calibrate", lambda *_: pytest.fail("it takes as long as the run"))
    executed(tmp_path / "run", estimate=True)


def timed_stage(monkeypatch, seconds_of) -> Stopwatch:
    """A stage on its trial whose step at some progress takes so many seconds, by a clock of its own."""
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stopwatch, clock, step = Stopwatch(4.0), Moment(4000).clock(), 0
    stopwatch.start(4000)
    with suppress(TrialOver):
        while (progress := clock.progress(step)) < 1:
            now += seconds_of(step, progress)
            step += 1
            stopwatch.checkpoint(step, dict)
    return stopwatch


def test_a_grid_that_is_divided_for_a_second_leaves_the_finer_ones_their_part_of_a_trial(monkeypatch):
    divided = []

    def seconds(step, progress):
        if progress > 0.2 and not divided:
            divided.append(step)
            return 1.5
        return 0.03 if divided else 0.005

    speed = timed_stage(monkeypatch, seconds).speed()
    assert 1 / speed == pytest.approx(0.2 * 0.005 + 0.8 * 0.03, rel=0.1)


def test_a_trial_that_ends_in_a_rare_step_is_not_measured_by_it(monkeypatch):
    stopwatch = timed_stage(monkeypatch, lambda step, _: 5.0 if step in (8, 20) else 0.02)
    assert len(stopwatch.marks) == 22, "two long steps are too many"
    assert stopwatch.speed() == pytest.approx(50)


def test_a_first_step_that_compiles_says_nothing_of_the_speed(monkeypatch):
    stopwatch = timed_stage(monkeypatch, lambda step, _: 6.0 if step == 0 else 0.05)
    assert stopwatch.speed() == pytest.approx(20)
    del stopwatch.marks[2:]
    assert stopwatch.speed() is None
