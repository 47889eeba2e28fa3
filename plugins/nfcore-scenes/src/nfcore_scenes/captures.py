"""Posed photos of real lenses as views of a ray source: undistorted, of one size, split, loaded once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcore import Cameras, Split, UserError, Views
from nfcore.dataset import composited, photo_has_alpha, photo_sizes, scaled_size
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.lenses import Lens
from nfcore_scenes.photo_cache import content_key, kept
from nfcore_scenes.undistortion import undistorted

#: Relative tolerance of a photo's aspect ratio against its camera's: halving odd sides rounds.
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class PosedPhoto:
    """One photo before it is read.

    Args:
        name: its name in reports.
        file: the photo.
        pose: (3, 4) float64, camera to world, OpenGL axes.
        lens: its lens, possibly at another size than the file's, as for photos that were scaled down.
        mask: a grey image, black where the photo is transparent, or None.

    """

    name: str
    file: Path
    pose: Tensor
    lens: Lens
    mask: Path | None = None


class Capture:
    """Photos of one scene at one size: the most common one; others are cropped and scaled to it.

    Args:
        splits: the photos of each split.
        image_size: the longer side in pixels that photos are scaled to; None keeps their size.
        options: the background, and the divisor of their sides.

    Raises:
        UserError: a photo is missing, or has another shape than its camera, or ``image_size`` does not fit.

    """

    def __init__(
        self,
        splits: dict[Split, tuple[PosedPhoto, ...]],
        image_size: int | None,
        options: CaptureOptions,
    ) -> None:
        self._splits: dict[Split, tuple[PosedPhoto, ...]] = {
            split: tuple(_with_the_files_size(photo) for photo in photos) for split, photos in splits.items()
        }
        self._background = options.background
        sizes = Counter(photo.lens.size for photos in self._splits.values() for photo in photos)
        self._full_size = max(sizes, key=lambda size: sizes[size])
        self._size = scaled_size(*self._full_size, image_size)
        self._window = _window(*self._size, options.multiple_of)
        self._pinholes = {photo: self._pinhole(photo) for photos in self._splits.values() for photo in photos}
        self._views: dict[Split, Views] = {}

    def _pinhole(self, photo: PosedPhoto) -> tuple[float, float, float, float]:
        try:
            return photo.lens.pinhole(*self._full_size)
        except UserError as error:
            raise UserError(f"{photo.file}: {error}") from None

    def cameras(self, split: Split) -> Cameras:
        """Return the pinhole cameras of one split."""
        photos = self._splits[split]
        (full_height, full_width), (height, width) = self._full_size, self._size
        scale = torch.tensor([width / full_width, height / full_height] * 2)
        pinholes = [self._pinholes[photo] for photo in photos]
        intrinsics = torch.tensor(pinholes, dtype=torch.float32).reshape(-1, 4) * scale
        poses = torch.stack([photo.pose for photo in photos]) if photos else torch.empty(0, 3, 4)
        rows, columns = self._window
        corner = torch.tensor([0, 0, columns.start, rows.start])
        return Cameras(poses.float(), intrinsics - corner, rows.stop - rows.start, columns.stop - columns.start)

    def has_alpha(self, split: Split) -> bool:
        """Whether photos of one split have masks or alpha, by their headers."""
        return any(photo.mask is not None or photo_has_alpha(photo.file) for photo in self._splits[split])

    def views(self, split: Split) -> Views:
        """Return the posed photos of one split, read on the first call."""
        if split not in self._views:
            photos = self._splits[split]
            rows, columns = self._window
            images, alpha = composited(self._pixels(photos)[:, rows, columns], self._background)
            self._views[split] = Views(self.cameras(split), images, alpha, tuple(p.name for p in photos))
        return self._views[split]

    def _pixels(self, photos: Sequence[PosedPhoto]) -> npt.NDArray[np.uint8]:
        """Return (n, height, width, 3 or 4) RGB or straight RGBA; cached on disk if they were undistorted."""
        if not any(photo.lens.distorts or photo.lens.size != self._full_size for photo in photos):
            return self._prepared(photos)
        files = [file for photo in photos for file in (photo.file, photo.mask) if file is not None]
        lenses = [(photo.lens, photo.mask is not None) for photo in photos]
        key = content_key(files, f"{self._full_size} {self._size} {lenses}")
        return kept(key, lambda: self._prepared(photos))

    def _prepared(self, photos: Sequence[PosedPhoto]) -> npt.NDArray[np.uint8]:
        def prepare(photo: PosedPhoto) -> npt.NDArray[np.uint8]:
            return undistorted(
                photo.file, photo.mask, photo.lens, self._pinholes[photo], self._full_size, self._size
            )

        # Few threads: each needs memory for full photos in floating point.
        with ThreadPoolExecutor(2) as pool:
            pictures = list(pool.map(prepare, photos))
        if not pictures:
            return np.empty((0, *self._size, 3), np.uint8)
        if any(picture.shape[-1] == 4 for picture in pictures):
            pictures = [_with_alpha(picture) for picture in pictures]
        return np.stack(pictures)


def _window(height: int, width: int, multiple: int) -> tuple[slice, slice]:
    """Return the slices of the largest centred window with sides that are multiples of ``multiple``."""
    if min(height, width) < multiple:
        raise UserError(f"multiple_of {multiple} is more than photos of {width}x{height} pixels have")
    (top, left), (rows, columns) = (
        [(side % multiple) // 2 for side in (height, width)],
        [side - side % multiple for side in (height, width)],
    )
    return slice(top, top + rows), slice(left, left + columns)


def _with_the_files_size(photo: PosedPhoto) -> PosedPhoto:
    """Return the photo with its lens scaled to the file's size."""
    lens = photo.lens
    sizes = photo_sizes(photo.file)
    for height, width in sizes:
        if abs(height * lens.width / (width * lens.height) - 1) <= _ASPECT_TOLERANCE:
            fits = (height, width) == lens.size
            return photo if fits else replace(photo, lens=lens.scaled(height, width))
    height, width = sizes[0]
    raise UserError(
        f"{photo.file} is {width}x{height} pixels, but its camera is of {lens.width}x{lens.height}: "
        "the photo must be the one that was posed, or the same scaled down"
    )


def _with_alpha(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if picture.shape[-1] == 4:
        return picture
    return np.concatenate([picture, np.full_like(picture[..., :1], 255)], -1)
