"""Structure from motion by COLMAP (Schoenberger and Frahm 2016), step by step; runs in the worker process."""

from __future__ import annotations

from pathlib import Path

import pycolmap

from nfcore_pose.database import all_largest_features, prepare, unmatched, without_features
from nfcore_pose.job import COPIES, DATABASE, MASKS, Event, Job, copy_name
from nfcore_pose.look_alikes import told_apart
from nfcore_pose.mapping import Report, largest_model, registered
from nfcore_pose.pairs import ALL_PAIRS, Pair, all_pairs, likely_pairs, neighbours

#: Features of one photo: more cost time and add nothing to poses.
_FEATURES = 4096
#: Pairs that are matched at once: progress is shown, and an interrupted call resumes, after each.
_PAIRS_AT_ONCE = 150


def reconstruct(folder: Path, job: Job, report: Report) -> pycolmap.Reconstruction | None:
    """Return the largest reconstruction of the photos in ``folder``, or None if there is none.

    It is in pixels of the copies. Finished steps of an interrupted call are not repeated.
    """
    pycolmap.set_random_seed(job.seed)
    database = folder / DATABASE
    prepare(database, job)
    _find_features(folder, job, report)
    _match(folder, job, _first_pairs(database, job), report)
    model = largest_model(folder, job, report)
    posed = registered(model)
    rest = [pair for pair in all_pairs(len(job.photos)) if not posed.issuperset(pair)]
    if unmatched(database, rest):  # photos are missing, and not all pairs were compared
        _match(folder, job, rest, report)
        model = max(model, largest_model(folder, job, report), key=lambda found: len(registered(found)))
    return None if model is None else told_apart(model, folder, job, report)


def _find_features(folder: Path, job: Job, report: Report) -> None:
    missing, total = without_features(folder / DATABASE, len(job.photos)), len(job.photos)
    options = pycolmap.FeatureExtractionOptions(num_threads=job.threads, use_gpu=False)
    options.sift.max_num_features = _FEATURES
    reader = pycolmap.ImageReaderOptions()
    if job.masked:
        reader.mask_path = folder / MASKS
    at_once = 2 * job.threads
    for start in range(0, len(missing), at_once):
        _report(report, "features", total - len(missing) + start, total, "photo")
        pycolmap.extract_features(
            folder / DATABASE,
            folder / COPIES,
            image_names=[copy_name(index) for index in missing[start : start + at_once]],
            reader_options=reader,
            extraction_options=options,
            device=pycolmap.Device.cpu,
        )
    _report(report, "features", total, total, "photo")


def _first_pairs(database: Path, job: Job) -> list[Pair]:
    photos = len(job.photos)
    if job.exhaustive or (photos <= ALL_PAIRS and not job.sequential):
        return all_pairs(photos)
    likely = likely_pairs(all_largest_features(database, photos), job.sequential)
    return list(dict.fromkeys([*(neighbours(photos) if job.sequential else ()), *likely]))


def _match(folder: Path, job: Job, pairs: list[Pair], report: Report) -> None:
    missing, total = unmatched(folder / DATABASE, pairs), len(pairs)
    options = pycolmap.FeatureMatchingOptions(num_threads=job.threads, use_gpu=False)
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = job.seed
    chosen = folder / "pairs.txt"
    for start in range(0, len(missing), _PAIRS_AT_ONCE):
        _report(report, "matching", total - len(missing) + start, total, "pair")
        some = missing[start : start + _PAIRS_AT_ONCE]
        chosen.write_text("".join(f"{copy_name(first)} {copy_name(second)}\n" for first, second in some))
        pycolmap.match_image_pairs(
            folder / DATABASE,
            options,
            pycolmap.ImportedPairingOptions(match_list_path=chosen),
            verification,
            pycolmap.Device.cpu,
        )
    _report(report, "matching", total, total, "pair")


def _report(report: Report, stage: str, done: int, total: int, unit: str) -> None:
    report(Event(stage=stage, done=done, total=total, unit=unit))
