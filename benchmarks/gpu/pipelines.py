"""Every teacher and student once through its stages on the GPU, with few steps; the CPU takes the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file

from benchmarks.gpu.part import DEVICE, SHARE, kept, nfcore, row

_SMALL = {"depth": 4, "width": 64, "rays_per_step": 256}
#: Options of each teacher; steps are the same for all.
TEACHERS = {
    "deferred": {},
    "voxels": {},
    "hash-grid": {"levels": 8, "log2_table": 14},
    "nerf": _SMALL | {"coarse": 24, "fine": 24},
    "mip-nerf": _SMALL | {"samples": 24},
    "snerg": {},
    "splats": {"splats": 2000},
    "mobilenerf": {},
}
#: Students by their recipes, with the size of their images and what differs from their training.
STUDENTS = {
    "mobiler2l": (80, ("distill.batch=4", "distill.crop=10", "finetune.batch=4", "finetune.crop=10")),
    "mobiler2l-small": (48, ()),
    "mobiler2l-small, bf16": (48, ("distill.precision=bf16", "finetune.precision=bf16")),
    "mobiler2l-small, fp16": (48, ("distill.precision=fp16", "finetune.precision=fp16")),
    "mobiler2l-small, fp32": (48, ("distill.precision=fp32", "finetune.precision=fp32")),
    "guided": (48, ()),
    "r2l-small": (48, ()),
}
STEPS = max(8, round(300 * SHARE))
#: Steps of the run that is interrupted: it takes some seconds.
LONG = max(100, round(3000 * SHARE))
_AT_ONCE, _PATIENCE = 10, 120


@dataclass(frozen=True)
class Pipeline:
    """The stages of a small run.

    Args:
        name: of the row.
        begin: ``nfcore teach``'s arguments after the folder.
        stages: what follows, each a command with its options.

    """

    name: str
    begin: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]


def main() -> None:
    """Print all rows, or those of the pipelines that are named."""
    named = sys.argv[1:]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        resumed = pool.submit(_resumed) if named in ([], ["resumed"]) else None
        chosen = [pipeline for pipeline in _pipelines() if not named or pipeline.name in named]
        for made in [pool.submit(_row, pipeline) for pipeline in chosen]:
            made.result()
        if resumed:
            resumed.result()


def _pipelines() -> Iterator[Pipeline]:
    for name, options in TEACHERS.items():
        changes = (f"teacher.{option}={value}" for option, value in options.items())
        yield Pipeline(name, _begin("field", 48, f"teacher.name={name}", *changes), (("evaluate",),))
    for name, (size, changes) in STUDENTS.items():
        recipe = name.partition(",")[0]
        steps = (f"distill.steps={STEPS}", "distill.views=16", f"finetune.steps={STEPS // 4}")
        stages = (("distill",), ("finetune",), ("evaluate",), ("export", "onnx"))
        yield Pipeline(name, _begin(recipe, size, *steps, *changes), stages)


def _begin(recipe: str, size: int, *changes: str) -> tuple[str, ...]:
    changes = (f"image_size={size}", f"teach.steps={STEPS}", *changes)
    options = [part for change in changes for part in ("--set", change)]
    return ("--recipe", recipe, "--scene", "procedural", *options)


def _row(pipeline: Pipeline) -> None:
    of = "student" if len(pipeline.stages) > 1 else "teacher"
    what = f"{pipeline.name}: {of} after {STEPS} steps, and all stages"
    folder = kept() / "pipelines" / pipeline.name.replace(", ", "-")
    try:
        there = _executed(pipeline, folder, DEVICE)
        on_cpu = (
            "" if "fp16" in pipeline.name else _executed(pipeline, folder.with_name(f"{folder.name}-cpu"), "cpu")
        )
    except subprocess.CalledProcessError as failed:
        row(what, "failed", note=" ".join(failed.cmd[3:5]) + ": " + str(failed.stderr).strip()[-600:])
        return
    except subprocess.TimeoutExpired as late:
        row(what, "failed", note=f"{' '.join(late.cmd[3:5])}: more than {_PATIENCE} s")
        return
    figure = f"{of}.test.psnr"
    row(what, round(there[figure], 3), on_cpu and round(on_cpu[figure], 3), "dB")


def _executed(pipeline: Pipeline, folder: Path, device: str) -> dict[str, float]:
    """Run all stages in a new folder; return the figures of the last."""
    _command("teach", str(folder), *pipeline.begin, "--set", f"device={device}")
    for command, *options in pipeline.stages:
        _command(command, str(folder), *options)
    return json.loads((folder / "summary.json").read_text())


def _command(*arguments: str) -> None:
    command = nfcore(*arguments, "--quiet")
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE, env=_one_thread())


def _one_thread() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def _resumed() -> None:
    """Interrupt a student's training, resume it, and compare its weights with those of one that went through."""
    what = "mobiler2l-small: weights that a resumed distillation changes"
    teacher, steps = f"teach.steps={STEPS}", f"distill.steps={LONG}"
    folders = {name: kept() / "resumed" / name for name in ("through", "through again", "interrupted")}
    try:
        for folder in folders.values():
            begin = _begin("mobiler2l-small", 48, teacher, steps, "distill.views=16", "distill.precision=fp32")
            _command("teach", str(folder), *begin, "--set", f"device={DEVICE}")
        _same_teacher(folders)
        for name in ("through", "through again"):
            _command("distill", str(folders[name]))
        note = _interrupt(folders["interrupted"])
        _command("distill", str(folders["interrupted"]))
    except (subprocess.SubprocessError, OSError) as failed:
        row(what, "failed", note=f"{failed}: {getattr(failed, 'stderr', '')}"[-600:])
        return
    states = {name: load_file(folder / "state" / "distilled.safetensors") for name, folder in folders.items()}
    apart = {
        name: max((a - states["through"][key]).abs().max().item() for key, a in state.items())
        for name, state in states.items()
    }
    note += f"; two that went through differ by {apart['through again']:.1e}"
    row(what, f"{apart['interrupted']:.1e}", unit="largest difference", note=note)


def _same_teacher(folders: dict[str, Path]) -> None:
    first, *others = folders.values()
    for other in others:
        (other / "teacher.safetensors").write_bytes((first / "teacher.safetensors").read_bytes())


def _interrupt(folder: Path) -> str:
    """Interrupt a distillation about half way; return how far it came."""
    process = subprocess.Popen(nfcore("distill", str(folder), "--quiet"), env=_one_thread())
    step, began = 0, time.monotonic()
    while process.poll() is None and step < LONG // 2 and time.monotonic() - began < _PATIENCE:
        time.sleep(0.02)
        step = _last_step(folder / "metrics.jsonl")
    process.send_signal(signal.SIGINT)
    process.wait(_PATIENCE)
    return f"interrupted after {step} of {LONG} steps, with status {process.returncode}"


def _last_step(metrics: Path) -> int:
    for line in reversed(metrics.read_text().splitlines() if metrics.exists() else []):
        try:
            report = json.loads(line)
        except ValueError:  # the line that is being written
            continue
        if report.get("stage") == "distill":
            return int(report.get("step", 0))
    return 0


if __name__ == "__main__":
    main()
