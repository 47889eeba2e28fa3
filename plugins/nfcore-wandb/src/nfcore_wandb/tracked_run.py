"""One run as W&B has it: its settings, curves, previews and figures; closed when it fails or the process ends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# Unless the user chose otherwise: a server that does not answer costs seconds at the start and at the end, and
# what goes wrong in wandb is not sent to its makers. wandb reads these when it starts.
os.environ.setdefault("WANDB_INIT_TIMEOUT", "10")
os.environ.setdefault("WANDB_FINISH_TIMEOUT", "60")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")

import wandb
from torch import Tensor

from nfcore.config import flat
from nfcore.io import read_toml, to_bytes
from nfcore.plugin import TrackingId

_PROJECT = "nfcore"  # unless WANDB_PROJECT names another
_SETTINGS = wandb.Settings(
    console="off", silent=True, disable_git=True, save_code=False, reinit="create_new", quiet=True
)


class TrackedRun:
    """The W&B run that belongs to one nfcore run; it is stored in ``wandb/`` in the run's folder.

    Its id is stored in ``wandb/nfcore.json``.

    Args:
        folder: the nfcore run's folder.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = os.environ.get("WANDB_PROJECT", _PROJECT)
        self.id = TrackingId(folder / "wandb" / "nfcore.json", self.project)
        self.run: wandb.Run | None = None

    @property
    def opened(self) -> wandb.Run:
        """The W&B run of the stage that runs."""
        assert self.run is not None
        return self.run

    def start(self, stage: str) -> None:
        """Continue the tracked run, or create one with the run's settings."""
        current = self.id.current(stage)
        if self.run is not None and current is None:
            self.run.finish()
            self.run = None
        if self.run is None:
            self.run = self._init(current)
        if current is None:
            self.id.set(self.run.id)
        self.run.define_metric(f"{stage}/*", step_metric=f"{stage}/step")

    def scalars(self, stage: str, step: int, scalars: Mapping[str, float]) -> None:
        """Add a point to each curve, ``<stage>/<name>`` over ``<stage>/step``."""
        self.opened.log({f"{stage}/step": step} | {f"{stage}/{name}": value for name, value in scalars.items()})

    def image(self, stage: str, step: int, name: str, image: Tensor) -> None:
        """Add an image (height, width, 3) float32 RGB in [0, 1]."""
        self.opened.log({f"{stage}/step": step, f"{stage}/{name}": wandb.Image(to_bytes(image))})

    def finish(self, stage: str, figures: Mapping[str, object]) -> None:
        """Add the figures to the summary under their names, such as ``student.test.psnr``."""
        self.opened.summary.update(dict(figures))
        self.id.finish(stage)

    def fail(self, stage: str, error: str) -> None:
        """Close the run as failed; the next stage continues it."""
        self.opened.summary.update({"error": error})
        self.opened.finish(exit_code=1)

    def _init(self, id_: str | None) -> wandb.Run:
        run = wandb.init(
            project=self.project,
            name=self.folder.name,
            dir=self.folder,
            id=id_,
            resume="allow" if id_ else None,
            mode=None if "WANDB_MODE" in os.environ else "offline",  # online may ask for a key
            settings=_SETTINGS,
        )
        run.config.update(flat(read_toml(self.folder / "config.toml")), allow_val_change=True)
        return run
