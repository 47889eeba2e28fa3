"""One run as MLflow has it: its settings, curves, previews and figures, sent every few seconds."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

# Unless the user chose otherwise: a server that does not answer costs a run seconds, not MLflow's own eight
# attempts of two minutes each, and MLflow's makers are told nothing. MLflow reads these when it sends something.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from torch import Tensor

from nfcore.config import flat
from nfcore.io import read_toml, to_bytes
from nfcore.plugin import TrackingId

logging.getLogger("mlflow").setLevel(logging.WARNING)  # it announces each step of creating a database

_EXPERIMENT = "nfcore"  # unless MLFLOW_EXPERIMENT_NAME names another
_SEND_SECONDS = 5.0
_LONGEST = 6000  # characters of a setting, as MLflow's stores have it
_AT_ONCE = 100  # parameters that MLflow takes in one batch
Value = TypeVar("Value")


class TrackedRun:
    """The run of an MLflow experiment that belongs to one nfcore run.

    Its id is stored in ``mlflow/run.json``.

    Args:
        folder: the nfcore run's folder.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = MlflowClient()
        self.stored = TrackingId(folder / "mlflow" / "run.json", self.client.tracking_uri)
        self.id = ""
        self.waiting: list[Metric] = []
        self.logged = 0
        self.sent = time.monotonic()

    def start(self, stage: str) -> None:
        """Continue the tracked run, or create one with the run's settings."""
        current = self.stored.current(stage)
        if current is not None:
            self.id = current
            self.client.update_run(self.id, "RUNNING")
        else:
            self.id = self._create().info.run_id
            self.stored.set(self.id)
        self.logged = 0 if current is None else self._last_step(stage)

    def scalars(self, stage: str, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve, ``<stage>/<name>``; those before an interruption are there already."""
        if step > self.logged:
            now = int(time.time() * 1000)
            self.waiting += [Metric(f"{stage}/{name}", value, now, step) for name, value in scalars.items()]
        if time.monotonic() - self.sent > _SEND_SECONDS:
            self._send()

    def image(self, stage: str, step: int, name: str, image: Tensor) -> None:
        """Add an image (height, width, 3) float32 RGB in [0, 1]."""
        self.client.log_image(self.id, to_bytes(image), artifact_file=f"previews/{stage}-{name}-{step:06}.png")

    def finish(self, stage: str, figures: Mapping[str, object]) -> None:
        """Add the numeric figures under their names, such as ``student.test.psnr``; the others as tags."""
        now = int(time.time() * 1000)
        for name, value in figures.items():
            if isinstance(value, int | float):
                self.waiting.append(Metric(name, float(value), now, 0))
            else:
                self.client.set_tag(self.id, name, str(value))
        self._send()
        self.client.log_artifact(self.id, str(self.folder / "config.toml"))
        self.client.set_terminated(self.id, "FINISHED")
        self.stored.finish(stage)

    def fail(self, stage: str, error: str) -> None:
        """Mark the run as failed; the next stage continues it."""
        self._send()
        self.client.set_tag(self.id, "error", error)
        self.client.set_terminated(self.id, "FAILED")

    def _create(self) -> Run:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        found = self.client.get_experiment_by_name(name)
        experiment = self.client.create_experiment(name) if found is None else found.experiment_id
        run = self.client.create_run(experiment, run_name=self.folder.name)
        settings = flat(read_toml(self.folder / "config.toml"))
        params = [Param(name, str(value)[:_LONGEST]) for name, value in settings.items()]
        for part in batched(params, _AT_ONCE):
            self.client.log_batch(run.info.run_id, params=part)
        return run

    def _last_step(self, stage: str) -> int:
        curves = [name for name in self.client.get_run(self.id).data.metrics if name.startswith(f"{stage}/")]
        histories = (self.client.get_metric_history(self.id, name) for name in curves)
        return max((point.step for history in histories for point in history), default=0)

    def _send(self) -> None:
        self.sent = time.monotonic()
        waiting, self.waiting = self.waiting, []
        for part in batched(waiting, _AT_ONCE):
            self.client.log_batch(self.id, metrics=part)


def batched(values: Sequence[Value], size: int) -> Iterator[Sequence[Value]]:
    """Yield ``values`` in parts of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
