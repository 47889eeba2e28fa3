"""Several processes train one student as one process does: real processes, connected by gloo."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from command_line import environment
from shared_training import outcome

from nfcore import UserError
from nfcore.runtime import distributed
from nfcore.testing.fixtures import only_plugins  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

CASES = {
    "plain": {"steps": 60, "batch": 4},
    "every option": {"steps": 60, "batch": 4, "optimizer": "muon", "schedule": "exponential"},
    "hard crops": {"steps": 30, "batch": 4, "hard": 0.5, "shift": True},
    "a batch that does not divide": {"steps": 10, "batch": 3},
    "batch norm": {"steps": 10, "batch": 2, "norm": True},
    "a time limit": {"steps": 10**6, "seconds": 1.0, "batch": 2},
}
PROGRAM = Path(__file__).with_name("shared_training.py")

RECIPE = """
image_size = 24
scene = { name = "nfcore-scenes/procedural", train_views = 8, test_views = 2 }
teacher = "nfcore-teachers/voxels"
teach = { steps = 30 }
distill = { steps = 40, views = 8, first_views = 4, batch = 4, crop = 4, precision = "fp32" }
finetune = { steps = 20, batch = 4, crop = 4, precision = "fp32" }

[student]
scale = 4
encoding = { name = "nfcore-mobiler2l/points", jitter = false }
backbone = { name = "nfcore-mobiler2l/residual-conv", depth = 6, width = 16, norm = "none" }
upsampler = "nfcore-mobiler2l/pixel-shuffle"
"""


#: One thread a process, and no plugin that writes files of its own.
ENVIRONMENT = environment([PROGRAM.parent], OMP_NUM_THREADS="1", NFCORE_PLUGINS_DISABLE="nfcore-tensorboard")
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
RUN = ["-m", "nfcore", "run", "recipe.toml"]
# The command as it is, but with a checkpoint after every step instead of every 15 seconds.
EAGER = (
    "import nfcore.runs.checkpoints as c; c.LEAST_SECONDS, c.MOST_SHARE = 0.0, 1e9; "
    "from nfcore.cli import main; main()"
)


def start(*arguments: str | Path, cwd: Path, **environ: str) -> subprocess.Popen[str]:
    """Start Python with ``arguments``."""
    command = [sys.executable, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=cwd, env=ENVIRONMENT | environ)


def start_two(*arguments: str | Path, cwd: Path) -> list[subprocess.Popen[str]]:
    """Start two processes that train together, as torchrun does, which takes longer to start than they do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"TORCHELASTIC_RUN_ID": "tests", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [start(*arguments, cwd=cwd, RANK=str(n), LOCAL_RANK=str(n), **shared) for n in range(2)]


def finished(*processes: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """Wait for processes, which must succeed, and return what each wrote to stdout and stderr."""
    said = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> dict[str, list[dict]]:
    """What each of two processes says of each case."""
    folder = tmp_path_factory.mktemp("shared")
    finished(*start_two(PROGRAM, json.dumps(list(CASES.values())), folder, cwd=folder))
    ranks = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]
    return {name: [results[i] for results in ranks] for i, name in enumerate(CASES)}


@pytest.mark.parametrize("case", ["plain", "every option", "hard crops"])
def test_two_processes_have_the_loss_curve_of_one(shared, case):
    alone = outcome(dict(CASES[case]))
    assert len(alone["losses"]) == CASES[case]["steps"] // 10
    # Sums of the same numbers in another order: float32 keeps 7 digits, and training spreads what it rounds.
    assert shared[case][0]["losses"] == pytest.approx(alone["losses"], rel=2e-3)
    assert shared[case][0]["scores"] == pytest.approx(alone["scores"], abs=0.02)  # dB
    assert alone["losses"][-1] < alone["losses"][0]


@pytest.mark.parametrize("case", ["plain", "every option", "hard crops", "batch norm", "a time limit"])
def test_all_processes_end_with_the_same_weights_though_they_began_with_others(shared, case):
    first, second = shared[case]
    assert first["weights"] == second["weights"]


def test_a_batch_that_does_not_divide_is_refused_by_all(shared):
    for result in shared["a batch that does not divide"]:
        assert result["error"] == "batch = 3 does not divide among 2 processes: set 2 or 4"


def test_batch_norm_has_four_views_in_each_process(shared):
    assert any("batch norm needs 8 views a step, not 2" in note for note in shared["batch norm"][0]["notes"])


def test_a_time_limit_ends_all_processes_at_the_same_step(shared):
    first, second = shared["a time limit"]
    assert len(first["losses"]) == len(second["losses"]) > 1


def test_one_process_shares_with_nobody():
    assert (distributed.count(), distributed.rank(), distributed.first()) == (1, 0, True)
    assert distributed.share(5) == slice(0, 5)
    assert distributed.agreed(0.25) == 0.25
    values = torch.arange(3.0)
    assert distributed.mean(values) is distributed.gathered(values) is values
    module = torch.nn.Linear(1, 1)
    assert distributed.averaging(module) is module
    distributed.wait()


def test_a_batch_smaller_than_the_number_of_processes_names_one_size(monkeypatch):
    monkeypatch.setattr(distributed, "count", lambda: 4)
    with pytest.raises(UserError, match=r"batch = 3 does not divide among 4 processes: set 4$"):
        distributed.share(3)


# -- a whole run -------------------------------------------------------------------------------------


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def files(run: Path) -> set[Path]:
    """All of a run but the previews of its training, which only a stage of some seconds leaves."""
    return {path.relative_to(run) for path in run.rglob("*")} - {
        Path("previews", "teacher.png"),
        Path("previews", "student.png"),
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with a recipe and with ``runs/shared``, a whole run of it by two processes of torchrun."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "recipe.toml").write_text(RECIPE)
    ((printed, _),) = finished(start(*TORCHRUN, *RUN, "--json", "--name", "shared", cwd=folder))
    (folder / "shared.json").write_text(printed)
    return folder


def test_a_whole_run_of_two_processes_is_that_of_one(whole, command, only_plugins):  # noqa: F811
    only_plugins("nfcore-mobiler2l", "nfcore-scenes", "nfcore-teachers")
    alone = command("run", "recipe.toml", "--json", "--name", "alone", cwd=whole)
    assert alone.returncode == 0, alone.stderr
    one, two = whole / "runs" / "alone", whole / "runs" / "shared"
    assert files(one) == files(two)
    assert (one / "teacher.safetensors").read_bytes() == (two / "teacher.safetensors").read_bytes()
    expected, found = lines(one), lines(two)
    for left, right in zip(found, expected, strict=True):
        assert (left["stage"], left["step"]) == (right["stage"], right["step"])
        assert left.get("psnr") == pytest.approx(right.get("psnr"), abs=0.02), right
    # Only the first process speaks: standard output is one JSON document.
    one_psnr, two_psnr = (
        json.loads(text)["student.test.psnr"] for text in (alone.stdout, (whole / "shared.json").read_text())
    )
    assert two_psnr == pytest.approx(one_psnr, abs=0.02)


def test_a_run_of_two_processes_that_were_killed_is_resumed_by_two(whole):
    processes = start_two("-c", EAGER, *RUN[2:], "--name", "killed", cwd=whole)
    run = whole / "runs" / "killed"
    deadline = time.monotonic() + 240
    while not (run / "state" / "distill.safetensors").exists():
        assert processes[0].poll() is None, processes[0].stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    for process in processes:
        process.kill()
        process.communicate()
    assert not (run / "state" / "distilled.safetensors").exists(), "killed too late"

    (_, progress), _ = finished(*start_two(*RUN, "--name", "killed", "--resume", cwd=whole))
    assert "distill: resumes from step" in progress
    through = whole / "runs" / "shared"
    for file in ("teacher.safetensors", "student.safetensors", "metrics.jsonl"):
        assert (run / file).read_bytes() == (through / file).read_bytes(), file


def test_an_error_says_which_process_has_it(monkeypatch, command, tmp_path):
    monkeypatch.setenv("RANK", "1")  # as torchrun does
    done = command("run", "no-such-recipe", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("nfcore (process 1): ")
