"""Executes one run of a sweep in a Ray worker. Input and output are JSON."""

from __future__ import annotations

import os
import socket
import threading
import time
import traceback

from nfcore import NfcoreError, UserError, plugins
from nfcore.io import write_json
from nfcore.plugin import reason, use_plugin_folders
from nfcore_ray.messages import Outcome, Task

# A worker that is being killed keeps its run's lock until the process is gone.
_LOCK_SECONDS = 60
_PARENT_SECONDS = 0.5


def do(text: str) -> str:
    """Execute or resume the run of a ``Task`` in JSON; return its ``Outcome`` in JSON."""
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

    A worker outlives a killed raylet, and would continue in a run's folder while another worker resumes it.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _settle(task: Task) -> None:
    """Set up this process like ``nfcore run`` where the sweep was started, before torch is imported."""
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
    write_json(task.started, {"host": socket.gethostname(), "pid": os.getpid()})
    import torch

    from nfcore.config import Configured, PipelineConfig, parse
    from nfcore.runs import command_line, execute

    torch.set_num_threads(task.cpus)
    folder = task.folder / task.name
    config = parse(PipelineConfig, task.config, str(folder))
    configured = Configured(config, task.sources)
    execute(
        folder,
        configured,
        resume=True,
        components=plugins(),
        command=command_line(task.arguments),
        patience=_LOCK_SECONDS,
    )
