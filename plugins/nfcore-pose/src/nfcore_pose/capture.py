"""What is to be posed: a folder of photos, or a video whose frames become photos."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nfcore import UserError
from nfcore.io import atomic_path
from nfcore_pose.frame_selection import Look, chosen_frames, look_at
from nfcore_pose.photos import Photo, photos_in, videos_in
from nfcore_pose.suffixes import PHOTOS, VIDEOS
from nfcore_pose.video import decoded, frame_count, rgb

#: Fewer photos can't be posed: two fix no scale that a third would confirm.
FEWEST = 3
#: Longer side in pixels at which frames are compared.
_LOOK_SIDE = 480
#: Frames that are compared for each that is taken.
_CANDIDATES = 8

#: Called with the stage's name, how much is done, how much there is, and of what.
Progress = Callable[[str, int, int, str], None]
# A larger file that takes less than half of its size on disk has holes, which would be read for hours.
_LARGE = 1 << 30


@dataclass(frozen=True)
class Capture:
    """Photos, or one video.

    Args:
        path: as the user gave it.
        photos: the photos, in order; empty for a video.
        video: the video, or None.

    """

    path: Path
    photos: tuple[Photo, ...] = ()
    video: Path | None = None

    @property
    def is_ordered(self) -> bool:
        """Whether neighbours in order are neighbours in space."""
        return self.video is not None


def find_capture(path: Path) -> Capture:
    """Return what ``path`` holds: a folder's photos, its only video, or the video that it is.

    Raises:
        UserError: nothing there, or too little to pose.

    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder: give a folder of photos, or a video")
    if path.is_file():
        return Capture(path, video=_video(path))
    photos = photos_in(path)
    if not photos:
        videos = videos_in(path)
        if len(videos) == 1:
            return Capture(path, video=_video(videos[0]))
        several = f"{len(videos)} videos and no photos: choose one, such as {videos[0]}" if videos else ""
        raise UserError(f"{path} holds {several or 'neither photos nor a video'}")
    if len(photos) < FEWEST:
        listed = " and ".join(photo.name for photo in photos)
        raise UserError(
            f"{path} holds only {listed}: poses need at least {FEWEST} photos from different places, better 40"
        )
    for photo in photos:
        if any("\ud800" <= character <= "\udfff" for character in photo.name):  # bytes that are no text
            raise UserError(f"{path / photo.name}: its name is not text in UTF-8: rename it")
        _check_written(photo.file)
    return Capture(path, photos=tuple(photos))


def _video(path: Path) -> Path:
    if path.suffix.lower() in PHOTOS:
        raise UserError(
            f"{path} is one photo: poses need a folder of at least {FEWEST} from different places, better 40"
        )
    if path.suffix.lower() not in VIDEOS:
        raise UserError(f"{path} is neither a folder of photos nor a video ({' '.join(VIDEOS)})")
    _check_written(path)
    return path


def _check_written(file: Path) -> None:
    found = file.stat()
    if found.st_size > _LARGE and getattr(found, "st_blocks", found.st_size) * 512 < found.st_size // 2:
        raise UserError(f"{file}: most of its {found.st_size >> 30} GiB were never written: copy it again")


def content_key(capture: Capture, settings: str) -> str:
    """Return a hash of the capture's names and bytes, and of the text ``settings``."""
    digest = hashlib.blake2b(settings.encode(), digest_size=16)
    for photo in capture.photos:
        digest.update(f"\0{photo.name}\0{photo.mask is not None}".encode())
    files = [file for photo in capture.photos for file in (photo.file, photo.mask)] or [capture.video]
    for file in files:
        if file is not None:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()


def extracted_frames(video: Path, count: int, folder: Path, progress: Progress) -> list[Photo]:
    """Return frames of ``video`` as photos in ``folder``, which is written once and atomically.

    Raises:
        UserError: it is no video that can be read, or has too few frames that differ.

    """
    if not folder.is_dir():
        chosen = set(_chosen(video, count, progress))
        if len(chosen) < FEWEST:
            raise UserError(
                f"{video} has only {len(chosen)} frame(s) that differ: poses need at least {FEWEST}, from a "
                "camera that moves around the scene"
            )
        with atomic_path(folder) as new:
            new.mkdir()
            done = 0
            for index, frame in enumerate(decoded(video)):
                if index in chosen:
                    Image.fromarray(rgb(frame)).save(new / f"{done:04}.jpg", quality=95)
                    done += 1
                    progress("frames", done, len(chosen), "frame")
                    if done == len(chosen):
                        break
    return [Photo(file.name, file) for file in sorted(folder.glob("*.jpg"))]


def _chosen(video: Path, count: int, progress: Progress) -> list[int]:
    total = frame_count(video)
    every = max(1, total // (_CANDIDATES * count))
    looks: list[Look] = []
    for index, frame in enumerate(decoded(video)):
        if index % every == 0:
            looks.append(look_at(index, rgb(frame, _LOOK_SIDE)))
            progress("video", index + 1, max(total, index + 1), "frame")
    return chosen_frames(looks, count)
