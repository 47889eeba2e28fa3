"""A program for ``torchrun``: trains the tiny student with the options given as JSON, writes what came of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tiny
import torch

from nfcore import NfcoreError, Reporter
from nfcore.config.schema import TrainingConfig
from nfcore.pipeline.evaluate import evaluate
from nfcore.runtime import distributed
from nfcore.training.best_checkpoint import BestCheckpoint
from nfcore.training.loop import train
from nfcore.views.training_views import TrainingViews

SOURCE = tiny.Ring(tiny.Ring.Options())


class Losses(Reporter):
    """Keeps the losses and the notes."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.notes: list[str] = []

    def step(self, step, **scalars):
        self.losses.append(scalars["loss"])

    def note(self, text):
        self.notes.append(text)


def outcome(settings: dict) -> dict:
    """Train with ``settings``; return losses, notes, weights, the judged scores, or the error."""
    student = tiny.student(width=16, norm=settings.pop("norm", False), seed=distributed.rank())
    held_out = SOURCE.views("test")
    best = BestCheckpoint(lambda judged: evaluate(judged, held_out).mean["psnr"], 3)
    reporter = Losses()
    views = TrainingViews.of_photos(SOURCE.views("train"))
    config = TrainingConfig(**{"learning_rate": 2e-2, "precision": "fp32", "crop": 2} | settings)
    try:
        train(student, views, tiny.SQUARE, config, 0, reporter, best=best)
    except NfcoreError as error:
        return {"error": str(error)}
    weights = torch.cat([p.detach().flatten() for p in student.parameters()])
    return {
        "losses": reporter.losses,
        "notes": reporter.notes,
        "weights": weights.tolist(),
        "scores": list(best.scores.values()),
    }


if __name__ == "__main__":
    cases, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    with distributed.joined():
        results = [outcome(settings) for settings in cases]
        (folder / f"{distributed.rank()}.json").write_text(json.dumps(results))
