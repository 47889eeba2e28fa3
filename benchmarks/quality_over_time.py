"""Quality over time: dB on all test views after a given time of fitting, for teachers and students.

Schedules follow the budget, so each time is a training of its own. A student's time includes its teacher's.
NFCORE_BENCH_RUNS names a folder where the runs are kept, for pictures and other benchmarks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.commands import Ran, run_json
from benchmarks.data import DATA, scene
from benchmarks.earlier import earlier
from benchmarks.teachers import TEACHERS
from nfcore.runs import read_reports

#: Ray source and data set of each scene.
SCENES = {
    "lego": ("blender", "nerf_synthetic/lego"),
    "chair": ("blender", "nerf_synthetic/chair"),
    "beer": ("colmap", "colmap/beer"),
    "fern": ("llff", "nerf_llff_data/fern"),
}
#: Seconds of fitting of the teacher ``deferred``, by scene and image size.
DEFERRED = {
    ("lego", 200): (20, 40, 80),
    ("lego", 400): (30, 60, 180),
    ("lego", 800): (150, 300, 900),
    ("chair", 200): (40,),
    ("chair", 400): (75, 180),
    ("chair", 800): (300,),
    ("beer", 160): (60, 120),
    ("fern", 252): (60, 120),
}
#: The same for other teachers, on lego at 200 pixels, with the options of ``benchmarks.teachers``.
OTHERS = {"voxels": (40,), "hash-grid": (40,)}
#: Minutes of whole runs of recipes with a student, by recipe, scene and image size.
STUDENTS = {
    ("guided", "lego", 200): (2, 4),
    ("guided", "lego", 400): (5,),
    ("guided", "chair", 200): (4,),
    ("mobiler2l-small", "lego", 200): (4,),
}
# More than any of these times allows.
_STEPS = 1_000_000


@dataclass(frozen=True)
class Case:
    """One training.

    Args:
        scene: a name of ``SCENES``.
        size: of the images, pixels along the longer side.
        recipe: its name.
        settings: what differs from the recipe.
        student: whether there is one.

    """

    scene: str
    size: int
    recipe: str
    settings: tuple[str, ...]
    student: bool

    def command(self, folder: str) -> list[str]:
        """Return the command that trains, with its run in ``folder``."""
        kind, path = SCENES[self.scene]
        settings = [part for setting in (f"image_size={self.size}", *self.settings) for part in ("--set", setting)]
        recipe = [self.recipe] if self.student else [f"{folder}/run", "--recipe", self.recipe]
        command = ["nfcore", "run" if self.student else "teach", *recipe, "--scene", f"{kind}:{scene(path)}"]
        return [*command, *settings, *(["--runs", folder, "--name", "run"] if self.student else [])]


def cases() -> dict[str, Case]:
    """Return all trainings by name, such as "lego-400 deferred, 60 s"."""
    found = {}
    fits = [("deferred", *at, each) for at, times in DEFERRED.items() for each in times]
    fits += [(name, "lego", 200, each) for name, times in OTHERS.items() for each in times]
    for teacher, of, size, seconds in fits:
        settings = [f"teach.steps={_STEPS}", f"teach.seconds={seconds}", f"teacher.name={teacher}"]
        settings += [f"teacher.{option}={value}" for option, value in TEACHERS[teacher].items()]
        found[f"{of}-{size} {teacher}, {seconds} s"] = Case(of, size, "field", tuple(settings), student=False)
    for (recipe, of, size), times in STUDENTS.items():
        for minutes in times:
            case = Case(of, size, recipe, (f"minutes={minutes}",), student=True)
            found[f"{of}-{size} {recipe}, {minutes} min"] = case
    return found


def measure(only: str = "") -> list[dict[str, Any]]:
    """Return a row for each training; only those with ``only`` in their names are measured again."""
    before, known = earlier("quality_over_time", "run"), cases()
    again = {only} if only in known else {name for name in known if only in name}
    rows = {name: _row(name, case) if name in again else before.get(name) for name, case in known.items()}
    return [row for row in rows.values() if row]


def _row(name: str, case: Case) -> dict[str, Any]:
    load = os.getloadavg()[0]
    with _folder(name) as folder:
        command = case.command(folder)
        ran = [run_json(command)]
        if not case.student:
            ran.append(run_json(["nfcore", "evaluate", f"{folder}/run"]))
        summary = ran[-1].output
        fitting = sum(summary.get(f"seconds.{stage}", 0) for stage in ("teach", "distill", "finetune"))
        reports = read_reports(Path(folder) / "run/metrics.jsonl")
        steps = max(report.step for report in reports if report.stage == "teach")
    shown = " ".join(command).replace(str(DATA), "../shared/data").replace(f"{folder}/run", "runs/measured")
    shown = shown.replace(f"--runs {folder} --name run", "--name measured")
    of = "student" if case.student else "teacher"
    return {
        "run": name,
        "PSNR": round(summary[f"{of}.test.psnr"], 2),
        "SSIM": round(summary[f"{of}.test.ssim"], 4),
        "teacher PSNR": round(summary["teacher.test.psnr"], 2),
        "test views": summary["test_views"],
        "fitting, wall s": round(fitting, 1),
        "teacher's steps/s": round(steps / summary["seconds.teach"], 1),
        **_spent(ran),
        "load before": round(load, 1),
        "command": shown if case.student else f"{shown} && nfcore evaluate runs/measured",
    }


@contextlib.contextmanager
def _folder(name: str) -> Iterator[str]:
    """Yield an empty folder, which is kept if NFCORE_BENCH_RUNS names where."""
    if kept := os.environ.get("NFCORE_BENCH_RUNS"):
        folder = Path(kept).absolute() / name.replace(",", "").replace(" ", "-")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield str(folder)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield temporary


def _spent(ran: list[Ran]) -> dict[str, float]:
    return {
        "from start to scores, wall s": round(sum(each.wall for each in ran), 1),
        "CPU s": round(sum(each.cpu for each in ran)),
        "peak memory, GiB": round(max(each.peak for each in ran), 2),
    }
