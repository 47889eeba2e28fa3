"""The worker process: ``python -m nfcore_pose.worker FOLDER`` reconstructs the photos of ``FOLDER/job.json``.

A process of its own, because COLMAP can't be interrupted, and a fault in it must not end the command. It prints
events as lines of JSON, and ends when its standard input is closed: when the command has died.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pycolmap

from nfcore.io import write_atomic
from nfcore_pose.database import homographies
from nfcore_pose.diagnosis import Matches, advice, read_matches
from nfcore_pose.job import DATABASE, JOB, MODEL, Event, Job, Posed
from nfcore_pose.look_alikes import advice_on, torn_apart
from nfcore_pose.mapping import registered
from nfcore_pose.model_writer import write_model
from nfcore_pose.structure import reconstruct
from nfcore_pose.turning import TURN, turn_error

#: Pairs that are checked for whether the camera only rotated.
_PAIRS = 200
#: A reconstruction of fewer points is discarded: a depth range needs 20.
_FEWEST_POINTS = 20


def main(folder: Path) -> None:
    """Reconstruct, and write the model and ``poses.json`` into ``folder``."""
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    pycolmap.logging.minloglevel = pycolmap.logging.Level.ERROR.value
    job = Job.model_validate_json((folder / JOB).read_bytes())
    model = reconstruct(folder, job, _report)
    matches = read_matches(folder / DATABASE)
    only_turned = _only_turned(matches, job, folder / DATABASE)
    if model is not None and (only_turned or model.num_points3D() < _FEWEST_POINTS):
        model = None
    names = [photo.name for photo in job.photos]
    posed_photos = registered(model)
    found = advice(matches, names, posed_photos, only_turned)
    if model is None:
        _report(Event(failure="; ".join(found)))
        return
    found += advice_on(torn_apart(model, folder / DATABASE), names)
    posed = Posed(
        photos=len(names),
        registered=len(posed_photos),
        unregistered=tuple(name for index, name in enumerate(names) if index not in posed_photos),
        error=model.compute_mean_reprojection_error(),
        error_at=max(max(photo.height, photo.width) for photo in job.photos),
        points=model.num_points3D(),
        cameras=model.num_cameras(),
        advice=tuple(found),
    )
    write_model(model, job, folder / MODEL)
    write_atomic(folder / MODEL / "poses.json", posed.model_dump_json(indent=2) + "\n")


def _only_turned(matches: Matches, job: Job, database: Path) -> bool:
    """Return whether the camera only rotated, so that a reconstruction has arbitrary depth."""
    if not matches.flat or not matches.are_flat:
        return False
    pairs = matches.flat[:: max(1, len(matches.flat) // _PAIRS)]
    sizes = [(job.photos[first].height, job.photos[first].width) for first, _ in pairs]
    return turn_error(homographies(database, pairs), sizes) < TURN


def _report(event: Event) -> None:
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()


def _end_with_the_command() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
