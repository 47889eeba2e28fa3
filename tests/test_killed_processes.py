"""Two processes that train one student, killed at any instant, end as two that were never killed."""

from __future__ import annotations

import random
import shutil
import signal
import socket
from pathlib import Path

import killed_run
import pytest
from test_killed_runs import contents, fork_server  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

STAGES = ("teach", "distill", "finetune")  # the others are done by the first alone, as teach is
# Which processes die: the one that writes, one that only takes its share, or both, as when the machine goes down.
VICTIMS = {"the first": (0,), "the other": (1,), "both": (0, 1)}


def do(fork_server, folder: Path, stage: str, kill_at: tuple[int | None, int | None] = (None, None)):  # noqa: F811
    """Return the exit codes of two processes that do ``stage``, and how many calls and returns each took."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pipes, started = [], []
    for rank in range(2):
        receiver, sender = fork_server.Pipe(duplex=False)
        arguments = (rank, port, folder, stage, kill_at[rank], None, sender)
        process = fork_server.Process(target=killed_run.do_together, args=arguments)
        process.start()
        sender.close()
        pipes.append(receiver)
        started.append(process)
    for process in started:
        process.join(120)  # torchrun would end the one that is left; here it has to see for itself
    codes = [process.exitcode for process in started]
    assert None not in codes
    calls = [pipe.recv() if code == 0 else None for pipe, code in zip(pipes, codes, strict=True)]
    for pipe in pipes:
        pipe.close()
    return codes, calls


@pytest.fixture(scope="module")
def through(fork_server, tmp_path_factory):  # noqa: F811
    """For each stage of a run that is never killed: the folder before it, after it, and the numbers of calls."""

    def do_stage(folder: Path, stage: str) -> list[int]:
        codes, calls = do(fork_server, folder, stage)
        assert codes == [0, 0]
        return calls

    return killed_run.through(tmp_path_factory.mktemp("through"), STAGES, do_stage)


@pytest.mark.parametrize("victims", VICTIMS)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_of_two_killed_processes_ends_as_if_they_never_were(
    fork_server,  # noqa: F811
    through,
    tmp_path,
    stage,
    victims,
):
    before, after, calls = through[stage]
    folder = Path(shutil.copytree(before, tmp_path / "run"))
    instants = random.Random(f"{stage} {victims}")
    dying = VICTIMS[victims]
    kill_at = tuple(instants.randint(1, calls[rank]) if rank in dying else None for rank in range(2))
    codes, _ = do(fork_server, folder, stage, kill_at)
    assert -signal.SIGKILL in codes
    codes, _ = do(fork_server, folder, stage)
    assert codes == [0, 0]
    found, expected = contents(folder), contents(after)
    assert set(found) == set(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
