"""The main job with the first-party plugins: photos in, verified exports out, also after a kill."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import imageio.v3 as iio
import pytest
from command_line import nfcore
from documentation import ROOT, commands

from nfcore import LightField
from nfcore.exports.manifest import OF_THE_CORE
from nfcore.testing.fixtures import only_plugins  # noqa: F401 - a fixture

SIZE = 24
SMALL = [
    f"image_size={SIZE}",
    "scene.train_views=6",
    "scene.val_views=0",
    "scene.test_views=3",
    "teach.steps=40",
    "distill.steps=120",
    "distill.learning_rate=2e-3",
    "distill.views=12",
    "distill.first_views=4",
    "finetune.steps=5",
    "student.width=16",
    "student.depth=4",
    "student.resolution=16",
]
OPTIONS = [
    "run",
    "quickstart",
    *(word for change in SMALL for word in ("--set", change)),
    "--threads",
    "1",
    "--quiet",
]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All files but the lock, with their content and the time at which they were written."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "run.lock")
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> Path:
    """The folder of one finished run: ``runs/small`` below the working folder."""
    folder = tmp_path_factory.mktemp("main-job")
    done = nfcore(*OPTIONS, "--name", "small", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (folder / "printed.txt").write_text(done.stdout)
    return folder / "runs" / "small"


@pytest.fixture(scope="module")
def summary(job) -> dict:
    return json.loads((job / "summary.json").read_text())


def test_the_run_folder_holds_what_the_design_promises(job):
    files = {str(path.relative_to(job)) for path in job.rglob("*") if path.is_file()}
    assert files >= {
        "config.toml",
        "metrics.jsonl",
        "summary.json",
        "student.safetensors",
        "teacher.safetensors",
        "previews/comparison.png",
        "previews/orbit.mp4",
        "exports/webgl/baked_field.html",
        "exports/coreml/light_field.mlpackage/Manifest.json",
        "exports/onnx/light_field.onnx",
        "exports/onnx-fp16/light_field.onnx",
    }
    assert not [name for name in files if Path(name).name.startswith(".")]


def test_the_summary_holds_what_the_design_promises_with_sane_values(summary):
    assert summary["scene"] == "still-life"
    assert summary["image_size"] == SIZE
    stages = ("teach", "distill", "finetune", "evaluate", "render", "export.onnx", "export.coreml", "total")
    assert all(0 <= summary[f"seconds.{stage}"] < 300 for stage in stages)
    for scored in ("teacher.test", "student.distilled", "student.test"):
        assert 8 < summary[f"{scored}.psnr"] < 60  # a black image of this bright scene has less than 8 dB
        assert 0 < summary[f"{scored}.ssim"] <= 1
    assert 1000 < summary["student.parameters"] < 100_000
    assert summary["student.macs"] > summary["student.parameters"]


def test_every_export_was_run_and_is_close_to_torch(job, summary):
    # The floors are the facts measured for these formats: float32 to rounding, float16 above 50 dB, and what
    # a page of 8 bits is required to have.
    for label, floor in {"onnx": 100, "onnx-fp16": 50, "coreml": 50, "webgl": 40}.items():
        assert summary[f"export.{label}.verified_by"]
        assert summary[f"export.{label}.psnr_vs_torch"] > floor
        assert summary[f"export.{label}.max_error"] < (0.3 if label == "webgl" else 0.05)
        files = [path for path in (job / "exports" / label).rglob("*") if path.is_file()]
        # The page of webgl has all data of the files in its folder "field".
        needed = [path for path in files if path.name not in OF_THE_CORE and path.parent.name != "field"]
        assert summary[f"export.{label}.bytes"] == sum(path.stat().st_size for path in needed)


def test_the_comparison_shows_student_teacher_and_truth(job):
    picture = iio.imread(job / "previews" / "comparison.png")
    height, width, channels = picture.shape
    assert (width, channels) == (3 * height, 3)
    assert height % SIZE == 0
    truth = picture[:, 2 * height :]
    assert truth.min() < 100 < 250 < truth.max()  # things before a white background


def test_the_orbit_video_plays(job):
    frames = iio.imread(job / "previews" / "orbit.mp4", plugin="pyav")
    assert len(frames) == 120
    assert frames.shape[1] == frames.shape[2] >= SIZE
    assert frames[0].std() > 5
    assert abs(frames[0].astype(float) - frames[60]).mean() > 1  # half a turn further on


def test_the_metrics_are_lines_of_json_whose_steps_rise(job):
    lines = [json.loads(line) for line in (job / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if line["stage"] == "distill"]
    assert steps == list(range(10, 121, 10))
    assert lines[0]["stage"] == "teach"


def test_the_table_and_the_paths_are_printed(job):
    printed = (job.parents[1] / "printed.txt").read_text()
    for word in ("teacher", "student, distilled", "student, fine-tuned", "onnx-fp16", "coreml", "orbit.mp4"):
        assert word in printed


def test_the_readmes_commands_for_a_finished_run_work_as_printed(command, job, tmp_path):
    """Those that are long or need a network have tests of their own; pages' commands are parsed by another."""
    shutil.copytree(job, tmp_path / "RUN")
    shutil.copy(job / "student.safetensors", tmp_path)
    verbs = ("export", "render", "compare", "plugins")
    runnable = (words for words in commands(ROOT / "README.md") if words[0] in verbs)
    shown = [words for words in runnable if "my-encoding" not in words]  # test_scaffolded_plugins.py makes it
    for words in shown:
        done = command(*words, cwd=tmp_path)
        assert done.returncode == 0, f"nfcore {shlex.join(words)}\n{done.stderr}"
    assert {words[0] for words in shown} == set(verbs)
    assert list(tmp_path.rglob("*.webm"))


def test_resuming_a_finished_run_does_nothing_again(command, job):
    before = contents(job)
    done = command(*OPTIONS, "--name", "small", "--resume", "--json", cwd=job.parents[1])
    assert done.returncode == 0, done.stderr
    after = contents(job)
    assert after.pop("summary.json")[0] == before.pop("summary.json")[0]  # written again, the same
    assert after == before
    assert json.loads(done.stdout) == json.loads((job / "summary.json").read_text())


def test_another_run_in_the_folder_exits_with_2_and_changes_nothing(command, job):
    before = contents(job)
    for more in ([], ["--resume", "--set", "distill.steps=121"]):
        done = command(*OPTIONS, "--name", "small", *more, cwd=job.parents[1])
        assert done.returncode == 2
        assert "runs/small holds" in done.stderr
    assert contents(job) == before


def test_an_image_size_that_does_not_fit_exits_with_2_and_makes_no_folder(command, job):
    folder = job.parents[1]
    done = command(*OPTIONS, "--name", "odd", "--set", "image_size=31", cwd=folder)
    assert done.returncode == 2
    assert "30x30 or 32x32 would fit" in done.stderr
    assert not (folder / "runs" / "odd").exists()


def test_a_student_alone_renders_and_exports_without_data_teacher_or_their_plugins(
    command,
    only_plugins,  # noqa: F811
    job,
    tmp_path,
):
    only_plugins("nfcore-guided", "nfcore-mobiler2l", "nfcore-onnx")
    shutil.copy(job / "student.safetensors", tmp_path / "lego.safetensors")
    rendered = command("render", "lego.safetensors", "--quiet", cwd=tmp_path)
    assert rendered.returncode == 0, rendered.stderr
    picture = iio.imread(tmp_path / "lego-renders" / "view.png")
    student = LightField.load(tmp_path / "lego.safetensors")
    seen = student.render(student.cameras[0])[0].permute(1, 2, 0)
    assert abs(picture - (seen * 255).numpy()).max() < 0.51
    assert len(iio.imread(tmp_path / "lego-renders" / "orbit.mp4", plugin="pyav")) == 120
    exported = command("export", "lego.safetensors", "onnx", "--json", "--quiet", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["onnx"]["psnr_vs_torch"] > 100
    assert (tmp_path / "lego-exports" / "onnx" / "light_field.onnx").is_file()


# -- killed at any instant ---------------------------------------------------------------------------

# The command as it is, but with a checkpoint after every step instead of every 15 seconds.
EAGER = (
    "import nfcore.runs.checkpoints as c; c.LEAST_SECONDS, c.MOST_SHARE = 0.0, 1e9; "
    "from nfcore.cli import main; main()"
)


def killed(arguments: list[str], cwd: Path, checkpoint: Path) -> str:
    """Run the command, kill it as soon as ``checkpoint`` is there, and return what it had printed."""
    process = subprocess.Popen(
        [sys.executable, "-c", EAGER, *arguments], cwd=cwd, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    printed = process.communicate()[1]
    assert checkpoint.exists(), "killed too late"
    return printed


def test_a_run_killed_in_two_stages_ends_with_the_same_student_bit_for_bit(job, tmp_path):
    options = [*(word for word in OPTIONS if word != "--quiet"), "--name", "small", "--export", ""]
    run = tmp_path / "runs" / "small"
    killed(options, tmp_path, run / "state" / "teach.safetensors")
    assert not (run / "teacher.safetensors").exists()
    printed = killed([*options, "--resume"], tmp_path, run / "state" / "distill.safetensors")
    assert "teach: resumes from step" in printed
    assert not (run / "state" / "distilled.safetensors").exists()
    done = nfcore(*options, "--resume", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "distill: resumes from step" in done.stderr

    for file in ("teacher.safetensors", "student.safetensors"):
        assert (run / file).read_bytes() == (job / file).read_bytes()
    through, again = (
        [line for line in (folder / "metrics.jsonl").read_text().splitlines() if '"distill"' in line]
        for folder in (job, run)
    )
    assert again == through
