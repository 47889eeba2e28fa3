"""A run killed at any instant of any stage, also while it writes, ends as one that was never killed.

``NFCORE_KILLS=8`` kills each stage that many times, at other instants each time; the default is three, the same.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import signal
from pathlib import Path
from typing import get_args

import killed_run
import pytest

from nfcore.runs import Stage

pytestmark = pytest.mark.slow

STAGES = get_args(Stage)
KILLS = int(os.environ.get("NFCORE_KILLS", 3))
INSTANTS = os.environ.get("NFCORE_KILLS") and random.randrange(10**9)  # other instants each time


@pytest.fixture(scope="module")
def fork_server():
    """Processes that have torch already; their parent has not computed yet, so its threads are none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        context = multiprocessing.get_context("forkserver")
        # Counting a student's operations imports torch's compiler: 1.6 CPU seconds in each process.
        context.set_forkserver_preload(["killed_run", "torch._dynamo"])
        yield context


def do(fork_server, folder: Path, stage: str, kill_at: int | None = None, instant: str | None = None):
    """Return the exit code of a process that does ``stage``, and how many calls and returns it took."""
    receiver, sender = fork_server.Pipe(duplex=False)
    process = fork_server.Process(target=killed_run.do, args=(folder, stage, kill_at, instant, sender))
    process.start()
    sender.close()
    process.join(120)
    assert process.exitcode is not None
    calls = receiver.recv() if process.exitcode == 0 else None
    receiver.close()
    return process.exitcode, calls


@pytest.fixture(scope="module")
def through(fork_server, tmp_path_factory):
    """For each stage of a run that is never killed: the folder before it, after it, and its number of calls."""

    def do_stage(folder: Path, stage: str) -> int:
        code, calls = do(fork_server, folder, stage)
        assert code == 0
        return calls

    return killed_run.through(tmp_path_factory.mktemp("through"), STAGES, do_stage)


def contents(folder: Path) -> dict[str, object]:
    """All files, without the times that they tell."""

    def timeless(path: Path) -> object:
        if path.name not in ("summary.json", "results.json", "manifest.json"):
            return path.read_bytes()
        flat = json.loads(path.read_text())
        if path.name == "manifest.json":
            return {name: value for name, value in flat.items() if name not in ("created", "seconds")}
        if path.name == "results.json":
            flat = {f"{stage} {name}": value for stage, part in flat.items() for name, value in part.items()}
        return {name: value for name, value in flat.items() if "seconds." not in name}

    return {str(path.relative_to(folder)): timeless(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_ends_as_if_never_killed(fork_server, folder: Path, stage: str, after: Path) -> None:
    code, _ = do(fork_server, folder, stage)
    assert code == 0
    found, expected = contents(folder), contents(after)
    assert set(found) == set(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_killed_at_random_instants_ends_as_if_it_never_was(fork_server, through, tmp_path, stage, seed):
    before, after, calls = through[stage]
    folder = Path(shutil.copytree(before, tmp_path / "run"))
    instants = random.Random(f"{stage} {seed} {INSTANTS or ''}".strip())
    codes = [do(fork_server, folder, stage, kill_at=instants.randint(1, calls))[0] for _ in range(KILLS)]
    print(codes.count(-signal.SIGKILL), "kills of", stage)  # noqa: T201 - shown with -rP
    assert codes[0] == -signal.SIGKILL
    assert set(codes) <= {-signal.SIGKILL, 0}
    assert_ends_as_if_never_killed(fork_server, folder, stage, after)


@pytest.mark.parametrize("instant", ["half written", "before the rename", "after the rename"])
@pytest.mark.parametrize("stage", ["teach", "distill", "finetune"])
def test_a_stage_killed_over_a_checkpoint_ends_as_if_it_never_was(fork_server, through, tmp_path, stage, instant):
    before, after, _ = through[stage]
    folder = Path(shutil.copytree(before, tmp_path / "run"))
    assert do(fork_server, folder, stage, instant=instant)[0] == -signal.SIGKILL
    assert (folder / "state" / f"{stage}.safetensors").exists()
    assert_ends_as_if_never_killed(fork_server, folder, stage, after)


@pytest.mark.parametrize("stage", ["teach", "distill", "finetune"])
def test_a_disk_that_is_full_in_the_middle_of_a_checkpoint_loses_nothing(fork_server, through, tmp_path, stage):
    before, after, _ = through[stage]
    folder = Path(shutil.copytree(before, tmp_path / "run"))
    assert do(fork_server, folder, stage, instant="full disk")[0] == 1
    left = [path.name for path in (folder / "state").iterdir()]
    assert f"{stage}.safetensors" in left
    assert not any(name.startswith(".") for name in left)
    assert_ends_as_if_never_killed(fork_server, folder, stage, after)
