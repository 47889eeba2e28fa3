"""Poses and points from the matches, photo by photo: COLMAP's incremental mapper."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import pycolmap

from nfcore_pose.job import COPIES, DATABASE, Event, Job
from nfcore_pose.pairs import Pair

#: Reconstructions of unconnected photos that are tried.
_MODELS = 4
#: Photos of the smallest reconstruction that is kept.
_SMALLEST = 3
#: Where the models of one call are written, and the database of a call that leaves out pairs.
_MODELS_FOLDER = "models"

Report = Callable[[Event], None]


def largest_model(
    folder: Path, job: Job, report: Report, stage: str = "mapping", without: Collection[Pair] = ()
) -> pycolmap.Reconstruction | None:
    """Return the model of the most photos, or None if there is none; ``without`` some pairs' matches."""
    # One thread: with several, the same photos give slightly different poses each time.
    options = pycolmap.IncrementalPipelineOptions(
        num_threads=1, random_seed=job.seed, min_model_size=_SMALLEST, max_num_models=_MODELS
    )
    options.mapper.random_seed = job.seed
    options.mapper.num_threads = 1
    models_folder = folder / _MODELS_FOLDER
    models_folder.mkdir(exist_ok=True)
    total, done = len(job.photos), 0

    def first_two() -> None:
        nonlocal done
        done = 2
        report(Event(stage=stage, done=done, total=total, unit="photo"))

    def next_one() -> None:
        nonlocal done
        done = min(done + 1, total)
        report(Event(stage=stage, done=done, total=total, unit="photo"))

    models = pycolmap.incremental_mapping(
        _database_without(without, folder / DATABASE, models_folder / DATABASE),
        folder / COPIES,
        models_folder,
        options,
        initial_image_pair_callback=first_two,
        next_image_callback=next_one,
    )
    shutil.rmtree(models_folder)
    return max(models.values(), key=lambda model: model.num_reg_images(), default=None)


def _database_without(pairs: Collection[Pair], database: Path, copy: Path) -> Path:
    """Return ``database``, or a ``copy`` of it in which ``pairs`` do not match."""
    if not pairs:
        return database
    shutil.copyfile(database, copy)
    with pycolmap.Database.open(copy) as changed:
        for first, second in pairs:
            changed.delete_two_view_geometry(first + 1, second + 1)
    return copy


def registered(model: pycolmap.Reconstruction | None) -> set[int]:
    """Return the indices of the photos with a pose."""
    return set() if model is None else {number - 1 for number in model.reg_image_ids()}
