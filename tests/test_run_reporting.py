"""What a stage of a run reports, and its checkpoints: each row once, resumed where it stopped."""

from __future__ import annotations

import pytest
import torch
from tiny_runs import checkpoint_every_time, contents, rows, scheduler, trained

from nfcore import UserError
from nfcore.runs import StageReporter
from nfcore.ui.console import Console


def test_metrics_are_lines_of_json(run, console):
    reporter = StageReporter(run, "distill", console)
    reporter.start(2)
    reporter.step(1, psnr=12.3456789)
    reporter.step(2, psnr=13.0, loss=0.5)
    assert rows(run) == [
        {"stage": "distill", "step": 1, "psnr": 12.345679},
        {"stage": "distill", "step": 2, "psnr": 13.0, "loss": 0.5},
    ]


def test_a_checkpoint_is_taken_only_when_one_is_due(run, console, monkeypatch):
    reporter = StageReporter(run, "distill", console)
    reporter.checkpoint(1, lambda: pytest.fail("not due yet"))
    assert not run.checkpoint_file("distill").exists()
    checkpoint_every_time(monkeypatch)
    reporter.checkpoint(2, lambda: {"w": torch.ones(2)})
    assert run.checkpoint_file("distill").exists()


def test_restoring_takes_back_what_was_logged_after_the_checkpoint(run, console, monkeypatch):
    checkpoint_every_time(monkeypatch)
    first = StageReporter(run, "distill", console)
    assert first.restore() is None
    first.step(1, psnr=1.0)
    first.checkpoint(1, lambda: {"w": torch.ones(2)})
    first.step(2, psnr=2.0)
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "dist')  # killed in the middle of a line

    second = StageReporter(run, "distill", console)
    assert torch.equal(second.restore()["w"], torch.ones(2))
    second.step(2, psnr=3.0)
    assert rows(run) == [
        {"stage": "distill", "step": 1, "psnr": 1.0},
        {"stage": "distill", "step": 2, "psnr": 3.0},
    ]


def test_a_stage_that_begins_anew_takes_back_its_rows_and_no_others(run, console):
    path = run.folder / "metrics.jsonl"
    others = '{"stage": "teach", "step": 1}\nnot a row of nfcore\n'
    path.write_text(others + '{"stage": "distill", "step": 1}\n{"stage": "distill", "st')  # killed in a line
    StageReporter(run, "distill", console)
    assert path.read_text() == others


def test_what_is_begun_anew_on_demand_is_logged_once(run, manager, console):
    trained(run.folder, run.config, manager, console)
    before = rows(run)
    run.forget("finetune")
    trained(run.folder, run.config, manager, console)
    assert rows(run) == before


def test_the_preview_comes_when_it_would_have_come(run, console, monkeypatch):
    checkpoint_every_time(monkeypatch)
    first = StageReporter(run, "distill", console)
    first.shown -= 30  # seconds ago; one is due every 20
    first.checkpoint(1, lambda: 0)
    second = StageReporter(run, "distill", console)
    assert not second.image_due()
    second.restore()
    assert second.image_due()


def test_checkpoints_take_no_more_than_their_share_of_the_time(run, console, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    reporter = StageReporter(run, "distill", console)
    taken = []

    def state():
        clock[0] += 3.0  # a slow disk
        taken.append(clock[0])
        return 0

    while clock[0] < 3000:
        clock[0] += 0.1
        reporter.checkpoint(1, state)
    assert 0.015 < 3 * len(taken) / clock[0] <= 0.02
    # one at once, so that not all is lost on a slow disk, the others when they are paid for
    assert taken[0] < 20
    assert taken[1] > 250


def test_quick_checkpoints_come_every_15_seconds(run, console, monkeypatch):
    clock, taken = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    reporter = StageReporter(run, "distill", console)
    for _ in range(100):
        clock[0] += 1.0
        reporter.checkpoint(1, lambda: taken.append(clock[0]))
    assert taken == [15, 30, 45, 60, 75, 90]


def saved_by(run, console, monkeypatch, state=0, **written) -> StageReporter:
    """A reporter of a stage whose checkpoint another nfcore or another machine has written."""
    checkpoint_every_time(monkeypatch)
    reporter = StageReporter(run, "distill", console)
    reporter.checkpoints.save(lambda: reporter._saved(7, state) | written)
    return StageReporter(run, "distill", console)


def test_a_checkpoint_of_another_machine_goes_on_and_says_so(run, monkeypatch, capsys):
    reporter = saved_by(run, Console(), monkeypatch, machine="s390x torch 2.6")
    assert reporter.restore() == 0
    printed = " ".join(capsys.readouterr().err.split())
    assert "distill: resumes from step 7" in printed
    assert "s390x torch 2.6 then," in printed


def test_the_same_machine_is_not_worth_a_word(run, monkeypatch, capsys):
    saved_by(run, Console(), monkeypatch).restore()
    assert "bits" not in capsys.readouterr().err


@pytest.mark.parametrize("written", [{"format": 1}, {"format": 99, "nfcore": "7.0"}])
def test_a_checkpoint_of_another_format_is_a_users_error_that_says_what_to_do(run, console, monkeypatch, written):
    with pytest.raises(UserError, match=r"another version of nfcore .*; this is .* --again"):
        saved_by(run, console, monkeypatch, **written).restore()


def test_a_checkpoint_that_no_longer_fits_is_a_users_error_that_says_what_to_do(
    run, manager, console, monkeypatch
):
    scheduler(run, manager, console).do("teach")
    saved_by(run, console, monkeypatch, state={"step": 7})
    before = contents(run.folder)
    with pytest.raises(UserError, match=r"can't resume from it \('\w+'\): 'nfcore distill .* --again'"):
        scheduler(run, manager, console).do("distill")
    assert contents(run.folder) == before


def test_a_bug_after_the_restart_is_not_blamed_on_the_checkpoint(run, console, monkeypatch):
    reporter = saved_by(run, console, monkeypatch)
    with pytest.raises(ValueError, match="a bug"), reporter.resuming():
        reporter.restore()
        reporter.start(9)
        raise ValueError("a bug")


def test_restoring_without_the_metrics_file_makes_no_zeros(run, console, monkeypatch):
    checkpoint_every_time(monkeypatch)
    first = StageReporter(run, "distill", console)
    first.step(1, psnr=1.0)
    first.checkpoint(1, lambda: 5)
    (run.folder / "metrics.jsonl").unlink()
    assert StageReporter(run, "distill", console).restore() == 5
    assert not (run.folder / "metrics.jsonl").exists()


def test_the_time_before_an_interruption_counts(run, console, monkeypatch):
    checkpoint_every_time(monkeypatch)
    first = StageReporter(run, "distill", console)
    first.began -= 100
    first.checkpoint(1, lambda: 0)
    second = StageReporter(run, "distill", console)
    second.restore()
    assert 100 <= second.seconds < 110
