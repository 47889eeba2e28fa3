"""The worker process: ``python -m nfcore_pose.worker FOLDER`` reconstructs the photos of ``FOLDER/job.json``.

A process of its own, because COLMAP can't be interrupted, and a fault in it must not end the command. It prints
events as lines of JSON, and ends when its standard input is closed: when the command has died.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np
import pycolmap

from nfcore.io import write_atomic
from nfcore_pose.diagnosis import advice, only_turned, read_matches
from nfcore_pose.job import DATABASE, JOB, MODEL, Event, Job, Posed
from nfcore_pose.model_writer import write_model
from nfcore_pose.structure import reconstruct


def main(folder: Path) -> None:
    """Reconstruct, and write the model and ``poses.json`` into ``folder``."""
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    pycolmap.logging.minloglevel = pycolmap.logging.Level.ERROR.value
    job = Job.model_validate_json((folder / JOB).read_bytes())
    model = reconstruct(folder, job, _tell)
    matches = read_matches(folder / DATABASE)
    if model is not None and only_turned(matches, triangulation_angle(model)):
        model = None
    names = [photo.name for photo in job.photos]
    registered = [] if model is None else sorted(number - 1 for number in model.reg_image_ids())
    found = advice(matches, names, registered)
    if model is None:
        _tell(Event(failure="; ".join(found)))
        return
    posed = Posed(
        photos=len(names),
        registered=len(registered),
        unregistered=tuple(name for index, name in enumerate(names) if index not in registered),
        error=model.compute_mean_reprojection_error(),
        error_at=max(max(photo.height, photo.width) for photo in job.photos),
        points=model.num_points3D(),
        cameras=model.num_cameras(),
        advice=tuple(found),
    )
    write_model(model, job, folder / MODEL)
    write_atomic(folder / MODEL / "poses.json", posed.model_dump_json(indent=2) + "\n")


def triangulation_angle(model: pycolmap.Reconstruction) -> float:
    """Return the median, over the points, of the largest angle between two rays to a point, in degrees."""
    places = {number: model.images[number].projection_center() for number in model.reg_image_ids()}
    angles = []
    for point in model.points3D.values():
        rays = point.xyz - np.stack([places[seen.image_id] for seen in point.track.elements])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        angles.append(np.degrees(np.arccos(np.clip((rays @ rays.T).min(), -1, 1))))
    return float(np.median(angles))


def _tell(event: Event) -> None:
    sys.stdout.write(event.model_dump_json() + "\n")
    sys.stdout.flush()


def _end_with_the_command() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
