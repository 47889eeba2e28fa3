"""From photos or a video to a posed data set in the cache; an interrupted call is resumed by the next."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs
from pydantic import ValidationError

from nfcore import UserError
from nfcore.io import atomic_path, read_file, write_atomic
from nfcore.ui import Console
from nfcore_pose.cameras import shared_cameras
from nfcore_pose.capture import Capture, content_key, extracted_frames, find_capture
from nfcore_pose.copies import (
    copy_folder,
    copy_size,
    data_set_name,
    in_threads,
    link_or_copy,
    write_copies,
    write_photo,
)
from nfcore_pose.job import JOB, MODEL, Event, Job, JobPhoto, Posed
from nfcore_pose.options import PosingOptions
from nfcore_pose.photos import Photo, PhotoFacts, photo_facts
from nfcore_pose.worker_process import run_worker

#: Raise it when captures are posed differently, so that results of older versions are not used.
_VERSION = 2


@dataclass(frozen=True)
class PosedCapture:
    """A posed data set.

    Args:
        folder: it holds ``images``, ``sparse/0``, ``transforms.json``, ``sparse_pc.ply`` and ``poses.json``.
        posed: what was posed.

    """

    folder: Path
    posed: Posed


def cache_folder() -> Path:
    """Return the folder of all posed captures; it may be deleted at any time."""
    return platformdirs.user_cache_path("nfcore") / "poses"


def posed_capture(path: Path, options: PosingOptions, console: Console) -> PosedCapture:
    """Return the photos or the video at ``path`` as a posed data set, from the cache if it was posed before.

    Raises:
        UserError: nothing there, too few photos, or photos that can't be posed; says why and what would help.
        NfcoreError: COLMAP failed.

    """
    capture = find_capture(path)
    settings = options.model_dump_json(exclude=_unused(options, capture))
    folder = cache_folder() / content_key(capture, f"{_VERSION} {settings}")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, console):
        data_set = folder / "dataset"
        if not (data_set / "poses.json").is_file():
            _pose(capture, options, folder, _Progress(console))
        return PosedCapture(data_set, _posed(data_set / "poses.json"))


def _posed(file: Path) -> Posed:
    try:
        return Posed.model_validate_json(read_file(file))
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise UserError(
            f"{file}: damaged: {fault}; delete {file.parent.parent}, and poses are estimated again"
        ) from None


def _unused(options: PosingOptions, capture: Capture) -> set[str]:
    """Return the options that do not change the result, so that they do not change its place in the cache."""
    unused = {*type(options).model_fields, *(options.model_extra or {})} - set(PosingOptions.model_fields)
    return unused if capture.video is not None else unused | {"frames"}


@contextmanager
def _alone(folder: Path, console: Console) -> Iterator[None]:
    """Work in ``folder`` as the only process; wait for another one that poses the same photos."""
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        console.note("waiting for another process that poses the same photos")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _require_colmap() -> None:
    if importlib.util.find_spec("pycolmap") is None:
        raise UserError(
            "poses need pycolmap, which is not installed: pip install pycolmap; where that finds none, run "
            "'nfcore pose' on another machine, or COLMAP itself, and give the data set that it writes"
        )


def _pose(capture: Capture, options: PosingOptions, folder: Path, progress: _Progress) -> None:
    _require_colmap()
    threads = os.cpu_count() or 1
    photos = list(capture.photos)
    if capture.video is not None:
        photos = extracted_frames(capture.video, options.frames, folder / "frames", progress)
    facts = [photo_facts(photo.file) for photo in photos]
    cameras, owner = shared_cameras(facts, options.cameras, options.lens)
    sizes = [copy_size(fact.height, fact.width, options.features_at) for fact in facts]
    masked = write_copies(photos, sizes, folder, threads, progress.counting("reading", len(photos), "photo"))
    job = Job(
        cameras=tuple(cameras),
        photos=tuple(
            JobPhoto(name=data_set_name(photo, fact), camera=camera, height=height, width=width)
            for photo, fact, camera, (height, width) in zip(photos, facts, owner, sizes, strict=True)
        ),
        masked=tuple(masked),
        sequential=options.matching == "sequential" or (options.matching == "auto" and capture.is_ordered),
        exhaustive=options.matching == "exhaustive",
        seed=options.seed,
        threads=threads,
    )
    write_atomic(folder / JOB, job.model_dump_json())
    try:
        run_worker(folder, progress.show)
    except UserError as error:
        raise UserError(f"{capture.path} can't be posed: {error}") from None
    _write_data_set(photos, facts, job, folder, progress)
    for name in ("copies", "masks", "frames", "model", "models"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for file in (*folder.glob("database.db*"), folder / "pairs.txt"):
        file.unlink(missing_ok=True)


def _write_data_set(
    photos: list[Photo], facts: list[PhotoFacts], job: Job, folder: Path, progress: _Progress
) -> None:
    with atomic_path(folder / "dataset") as new:
        copy_folder(folder / MODEL, new)

        def write(index: int) -> None:
            photo, name = photos[index], job.photos[index].name
            write_photo(photo, facts[index], new / "images" / name)
            if photo.mask is not None:
                mask = new / "masks" / f"{name}.png"
                mask.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(photo.mask, mask)

        in_threads(write, range(len(photos)), job.threads, progress.counting("writing", len(photos), "photo"))


class _Progress:
    """Shows what is being done, how far it is and how long it will still take."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int, unit: str) -> None:
        if stage != self._stage:
            self._stage = stage
            self._console.start(stage, total, unit)
        self._console.step(done)

    def show(self, event: Event) -> None:
        self(event.stage, event.done, event.total, event.unit)

    def counting(self, stage: str, total: int, unit: str) -> Callable[[int], None]:
        return lambda done: self(stage, done, total, unit)
