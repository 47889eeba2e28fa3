"""The copies of photos in which features are found, and the photos of the data set, as all tools read them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL import Image

from nfcore import UserError
from nfcore.io import atomic_path
from nfcore_pose.job import COPIES, MASKS, copy_name
from nfcore_pose.panoramas import is_panorama
from nfcore_pose.photos import Photo, PhotoFacts, opened, upright

#: Formats that all tools read.
_COMMON = ("JPEG", "PNG")
#: Alpha, in 0..255, from which on a pixel belongs to the object.
_OPAQUE = 128

Result = TypeVar("Result")


def copy_size(height: int, width: int, longer_side: int) -> tuple[int, int]:
    """Return (height, width) with the longer side at most ``longer_side``, so that the shape changes least.

    >>> copy_size(1280, 720, 1000)
    (992, 558)
    """
    longer, shorter = max(height, width), min(height, width)
    if longer <= longer_side:
        return height, width
    sides = range(longer_side, int(0.9 * longer_side), -1)
    best = min(sides, key=lambda side: abs(round(side * shorter / longer) / side - shorter / longer))
    other = max(1, round(best * shorter / longer))
    return (best, other) if height >= width else (other, best)


def write_copies(
    photos: Sequence[Photo],
    sizes: Sequence[tuple[int, int]],
    folder: Path,
    threads: int,
    done: Callable[[int], None],
) -> list[int]:
    """Write the copies and masks into ``folder`` and return the indices of the photos that have a mask.

    A photo's mask is that of its file, and what is transparent. Copies that are there already are kept.

    Raises:
        UserError: a photo or a mask can't be read, is a panorama, or a mask has another shape than its photo.

    """
    for name in (COPIES, MASKS):
        (folder / name).mkdir(parents=True, exist_ok=True)

    def write(index: int) -> bool:
        copy, mask = folder / COPIES / copy_name(index), folder / MASKS / f"{copy_name(index)}.png"
        if not copy.exists():
            _write_copy(photos[index], sizes[index], copy, mask)
        return mask.exists()

    masked = in_threads(write, range(len(photos)), threads, done)
    return [index for index, has_mask in enumerate(masked) if has_mask]


def _write_copy(photo: Photo, size: tuple[int, int], copy: Path, mask: Path) -> None:
    height, width = size
    with opened(photo.file) as file:
        if is_panorama(file):
            raise UserError(
                f"{photo.file} is a 360-degree panorama: cut it into plain views first, such as with "
                "ffmpeg -i PANORAMA -vf v360=e:flat:h_fov=90:v_fov=90:w=1200:h=1200:yaw=0 VIEW.jpg for several yaw"
            )
        file.draft("RGB", (2 * max(size), 2 * max(size)))
        small = upright(file).resize((width, height), Image.Resampling.BOX)
    kept = small.getchannel("A").point(lambda alpha: 255 * (alpha >= _OPAQUE)) if small.mode == "RGBA" else None
    if photo.mask is not None:
        with opened(photo.mask) as file:
            grey = upright(file).convert("L")
        if abs(grey.width * height / (grey.height * width) - 1) > 0.02:
            raise UserError(f"{photo.mask} is {grey.width}x{grey.height} pixels, another shape than {photo.file}")
        given = grey.resize((width, height), Image.Resampling.NEAREST).point(lambda value: 255 * (value > 0))
        kept = given if kept is None else Image.composite(kept, given, given)
    if kept is not None:
        with atomic_path(mask) as temporary:
            kept.save(temporary, "PNG")
    with atomic_path(copy) as temporary:
        small.convert("RGB").save(temporary, "JPEG", quality=95)


def data_set_name(photo: Photo, facts: PhotoFacts) -> str:
    """Return the name of a photo in the data set: its own, unless it is converted."""
    if _is_common(facts):
        return photo.name
    return f"{photo.name}.{'png' if facts.form == 'PNG' else 'jpg'}"


def _is_common(facts: PhotoFacts) -> bool:
    return facts.form in _COMMON and not facts.turned


def write_photo(photo: Photo, facts: PhotoFacts, file: Path) -> None:
    """Write a photo as ``file``: the same bytes, or converted or turned so that other tools read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if _is_common(facts):
        link_or_copy(photo.file, file)
        return
    with opened(photo.file) as picture:
        pixels = upright(picture)
    if file.suffix == ".png":
        pixels.save(file)
    else:
        pixels.convert("RGB").save(file, quality=95)


def link_or_copy(source: Path, file: Path) -> None:
    """Make ``file`` a second name of ``source``, or a copy where the file system has no such names."""
    try:
        os.link(source.resolve(), file)
    except OSError:
        shutil.copyfile(source, file)


def copy_folder(folder: Path, new: Path) -> None:
    """Copy a folder; the first that can't be written ends it, where ``shutil.copytree`` would list all."""
    new.mkdir(parents=True)
    for entry in sorted(folder.rglob("*")):
        copy = new / entry.relative_to(folder)
        if entry.is_dir():
            copy.mkdir()
        else:
            copy.write_bytes(entry.read_bytes())


def in_threads(
    work: Callable[[int], Result], items: Iterable[int], threads: int, done: Callable[[int], None]
) -> list[Result]:
    """Return ``work`` of each item, done by several threads; an error or Ctrl-C drops what is not started."""
    with ThreadPoolExecutor(threads) as pool:
        try:
            results = []
            for result in pool.map(work, items):
                results.append(result)
                done(len(results))
            return results
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
