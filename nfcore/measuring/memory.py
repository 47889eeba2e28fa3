"""Peak memory: what loading and running one export adds to a new process that does nothing else.

Within one process exports would share an allocator. So each runs in a process of its own,
``python -m nfcore.measuring.memory``, which reads its job as JSON from standard input and prints the bytes.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nfcore.config.schema import Choice
from nfcore.errors import NfcoreError
from nfcore.interfaces import Exporter
from nfcore.interfaces.exporter import Takes
from nfcore.plugin.installed import plugin_folders, plugins, use_plugin_folders
from nfcore.scene.cameras import Cameras

_KIB = 1024


def peak_memory(path: Path, what: Choice | Takes, camera: Cameras, threads: int) -> int:
    """Return the peak bytes that loading one export, or a model in torch, and running it once adds to a process.

    Args:
        path: the folder of the export, or the model's file.
        what: the exporter, or the kind of model to run in torch.
        camera: one camera.
        threads: CPU threads.

    Raises:
        NfcoreError: the process failed.

    """
    job = {
        "path": str(path),
        "what": {"name": what.name, "options": what.options} if isinstance(what, Choice) else what,
        "plugins": [str(path) for path in plugin_folders()],
        "pose": camera.poses.tolist(),
        "intrinsics": camera.intrinsics.tolist(),
        "size": [camera.height, camera.width],
        "threads": threads,
    }
    command = [sys.executable, "-m", "nfcore.measuring.memory"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise NfcoreError(f"{path}: the process that measures its memory failed: {said}")
    return int(done.stdout.splitlines()[-1])


def main() -> None:
    """Run the job on standard input and print the bytes that it took."""
    import torch

    job = json.loads(sys.stdin.read())
    torch.set_num_threads(job["threads"])
    use_plugin_folders([Path(path) for path in job["plugins"]])
    camera = Cameras(torch.tensor(job["pose"]), torch.tensor(job["intrinsics"]), *job["size"])
    run = _job(Path(job["path"]), job["what"], job["threads"])
    before = _forget_peak()
    with torch.no_grad():
        run(camera)
    sys.stdout.write(f"{max(_peak() - before, 0)}\n")


def _job(path: Path, what: dict[str, Any] | Takes, threads: int) -> Callable[[Cameras], object]:
    """Return a function that loads and runs the export or the model; imports its libraries first."""
    if isinstance(what, dict):
        exporter: Exporter[Any] = plugins().build("exporter", what["name"], what["options"])
        return lambda camera: exporter.load(path, threads=threads).render(camera.poses, camera.intrinsics)
    if what == "student":
        from nfcore.exports.deploy import DeployedLightField
        from nfcore.student.light_field import LightField

        return lambda camera: DeployedLightField(LightField.load(path))(camera.poses, camera.intrinsics)
    from nfcore.views.fitted_teacher import FittedTeacher
    from nfcore.views.teacher_file import load_teacher

    return lambda camera: FittedTeacher(load_teacher(path), camera).render(camera)


def _forget_peak() -> int:
    """Return the memory of this process in bytes, and reset its peak to it where the system supports that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # Linux, proc_pid_clear_refs(5)
    return _peak()


def _peak() -> int:
    """Return the peak memory of this process, bytes.

    On Linux from /proc: there ``getrusage`` includes the parent's memory at the time of the fork.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * _KIB
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * _KIB


if __name__ == "__main__":
    main()
