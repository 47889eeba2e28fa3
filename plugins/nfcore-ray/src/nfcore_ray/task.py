"""One run of a sweep, as a Ray worker does it. What comes in and goes out is JSON."""

from __future__ import annotations

import os
import socket
import threading
import time
import traceback

from filelock import FileLock, Timeout

from nfcore import NfcoreError, UserError, plugins
from nfcore.io import write_json
from nfcore.plugin import reason, use_plugin_folders
from nfcore_ray.messages import Outcome, Task

# A worker that is being killed holds its run's lock until the system has taken it away.
_LOCK_SECONDS = 60
_PARENT_SECONDS = 0.5


def do(text: str) -> str:
    """Do the run that a ``Task`` as JSON describes, or resume it; return its ``Outcome`` as JSON."""
    task = Task.model_validate_json(text)
    end_with_parent()
    _settle(task)
    try:
        _do(task)
        outcome = Outcome()
    except Exception as error:
        trace = "" if isinstance(error, NfcoreError) else traceback.format_exc()
        outcome = Outcome(error=reason(error), mistake=isinstance(error, UserError), trace=trace)
    return outcome.model_dump_json()


def end_with_parent() -> None:
    """End this process soon after its parent, Ray's raylet, has ended.

    A worker outlives a raylet that is killed, and would work on in a run's folder while another one resumes it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _settle(task: Task) -> None:
    """Make this process what ``nfcore run`` would be where the sweep was started; torch is not imported yet."""
    os.environ.update(task.environment)
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(task.cpus)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not task.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.chdir(task.cwd)
    use_plugin_folders(task.plugin_folders)


def _do(task: Task) -> None:
    if not task.folder.is_dir():
        raise UserError(f"{socket.gethostname()} does not see {task.folder}: all machines must share it")
    lock = FileLock(task.started.with_suffix(".lock"))
    try:
        with lock.acquire(timeout=_LOCK_SECONDS):
            write_json(task.started, {"host": socket.gethostname(), "pid": os.getpid()})
            _do_all_stages(task)
    except Timeout:
        raise NfcoreError(f"{task.folder / task.name}: another process works on this run") from None


def _do_all_stages(task: Task) -> None:
    import torch

    from nfcore.config import Configured, PipelineConfig, parse
    from nfcore.runs import command_line, execute

    torch.set_num_threads(task.cpus)
    folder = task.folder / task.name
    config = parse(PipelineConfig, task.config, str(folder))
    configured = Configured(config, task.sources)
    execute(folder, configured, resume=True, components=plugins(), command=command_line(task.arguments))
