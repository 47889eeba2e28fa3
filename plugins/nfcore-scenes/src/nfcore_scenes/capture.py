"""Posed photos of real lenses as views of a ray source: undistorted, on one canvas, read when they are needed."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nfcore import Cameras, Split, UserError, ViewMetadata, Views
from nfcore.dataset import PhotoHeader, photo_header, scaled_size, stacked, stacked_masks
from nfcore.scene import MaskStack
from nfcore_scenes.capture_options import CaptureOptions
from nfcore_scenes.lenses import Lens
from nfcore_scenes.photo_reading import Placement, ignored_of, pixels_of, placed, stored_lens
from nfcore_scenes.recording import PosedPhoto

#: Pixels along the longer side of previews, from which bounds are computed and with which photos are checked.
_PREVIEW = 128
#: Threads that read: each holds one photo in full.
_READERS = 4
#: Photos with a smaller transparent share than this are not cut out.
_LEAST_TRANSPARENT = 0.01


class Capture:
    """Photos of one scene on one canvas: the most common size, scaled to ``image_size``.

    Photos of another shape are fitted into it whole, and what they leave free is ignored. Headers are read at
    once, photos when they are needed.

    Args:
        splits: the photos of each split.
        image_size: the longer side in pixels that photos are scaled to; None keeps their size.
        options: the background, and the divisor of their sides.

    Raises:
        UserError: a photo is missing, or has another shape than its camera, or ``image_size`` does not fit.

    """

    def __init__(
        self, splits: dict[Split, tuple[PosedPhoto, ...]], image_size: int | None, options: CaptureOptions
    ) -> None:
        self.splits = splits
        self._background = options.background or (1.0, 1.0, 1.0)
        photos = [photo for members in splits.values() for photo in members]
        self._headers = {photo: photo_header(photo.file) for photo in photos}
        self._lenses = {photo: stored_lens(photo, self._headers[photo]) for photo in photos}
        sizes = Counter(lens.size for lens in self._lenses.values())
        self._full_size = max(sizes, key=lambda size: (sizes[size], size))
        self._size = scaled_size(*self._full_size, image_size)
        self._window = _window(*self._size, options.multiple_of)
        self._placements = {photo: self._placed(photo, self._size) for photo in photos}
        self._views: dict[Split, Views] = {}
        self._previews: dict[PosedPhoto, npt.NDArray[np.uint8]] = {}

    @property
    def cropped(self) -> str | None:
        """A sentence about the pixels that all photos lose; None if they lose none."""
        (height, width), (rows, columns) = self._size, self._window
        kept = rows.stop - rows.start, columns.stop - columns.start
        if kept == self._size:
            return None
        return f"photos of {width}x{height} pixels are cropped to {kept[1]}x{kept[0]}"

    def header(self, photo: PosedPhoto) -> PhotoHeader:
        """Return what the header of a photo says."""
        return self._headers[photo]

    def lens(self, photo: PosedPhoto) -> Lens:
        """Return the lens of a photo at the size of its file."""
        return self._lenses[photo]

    def cameras(self, split: Split) -> Cameras:
        """Return the pinhole cameras of one split."""
        photos = self.splits[split]
        rows, columns = self._window
        intrinsics = _intrinsics([self._placements[photo] for photo in photos])
        poses = torch.stack([photo.pose for photo in photos]) if photos else torch.empty(0, 3, 4)
        corner = torch.tensor([0, 0, columns.start, rows.start])
        return Cameras(poses.float(), intrinsics - corner, rows.stop - rows.start, columns.stop - columns.start)

    def views(self, split: Split) -> Views:
        """Return the posed photos of one split."""
        if split not in self._views:
            photos = self.splits[split]
            cameras = self.cameras(split)
            channels = 4 if any(self._has_alpha(photo) for photo in photos) else 3
            images, alpha = stacked(
                lambda i: self._on_canvas(photos[i]),
                (len(photos), cameras.height, cameras.width, channels),
                self._background,
                lambda i: self._preview(photos[i]),
            )
            self._views[split] = Views(
                cameras,
                images,
                alpha,
                tuple(photo.name for photo in photos),
                self._masks(split),
                tuple(ViewMetadata(self._headers[photo].exposure, photo.time) for photo in photos),
            )
        return self._views[split]

    def previews(self, split: Split) -> list[npt.NDArray[np.uint8]]:
        """Return small copies (h, w, 3 or 4) of the photos of one split, without the canvas around them."""
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(self._preview, self.splits[split]))

    def silhouettes(self, split: Split) -> tuple[Cameras, list[Tensor]] | None:
        """Return small cameras and their photos' alpha (h, w) in [0, 1], 1 where a mask ignores it.

        None where no photo of the split has alpha, or alpha is 1 everywhere, as in many files.
        """
        photos = self.splits[split]
        if not any(self._has_alpha(photo) for photo in photos):
            return None
        size = scaled_size(*self._size, min(_PREVIEW, max(self._size)))
        with ThreadPoolExecutor(_READERS) as pool:
            alpha = list(pool.map(partial(self._silhouette, size=size), photos))
        if all(float(one.max()) < 0.5 for one in alpha):
            raise UserError(
                f"{photos[0].file} and all other training photos are transparent all over: check alpha"
            )
        transparent = sum(float((one < 0.5).float().mean()) for one in alpha) / max(1, len(alpha))
        if transparent < _LEAST_TRANSPARENT:
            return None
        intrinsics = _intrinsics([self._placed(photo, size) for photo in photos])
        return Cameras(torch.stack([photo.pose for photo in photos]).float(), intrinsics, *size), alpha

    def _silhouette(self, photo: PosedPhoto, size: tuple[int, int]) -> Tensor:
        place = self._placed(photo, size)
        canvas = torch.ones(size)
        pixels = self._preview(photo)
        if pixels.shape[-1] == 4:
            alpha = torch.from_numpy(pixels[..., 3]).float() / 255
            if photo.mask is not None:
                ignored = ignored_of(photo, self._lenses[photo], (alpha.shape[0], alpha.shape[1]))
                alpha = torch.where(torch.from_numpy(ignored), 1.0, alpha)
            canvas[place.window] = _resized(alpha, place.size)
        return canvas

    def _has_alpha(self, photo: PosedPhoto) -> bool:
        return photo.cutout is not None or self._headers[photo].alpha

    def _placed(self, photo: PosedPhoto, canvas: tuple[int, int]) -> Placement:
        return placed(self._lenses[photo], canvas, photo.file)

    def _on_canvas(self, photo: PosedPhoto) -> npt.NDArray[np.uint8]:
        """Return a photo on the canvas, cut to the window; black where the photo leaves it free."""
        place = self._placements[photo]
        pixels = pixels_of(photo, self._lenses[photo], place.size)
        if place.size != self._size:
            canvas = np.zeros((*self._size, pixels.shape[-1]), np.uint8)
            canvas[place.window] = pixels
            pixels = canvas
        return pixels[self._window]

    def _preview(self, photo: PosedPhoto) -> npt.NDArray[np.uint8]:
        if photo not in self._previews:
            size = self._placements[photo].size
            small = scaled_size(*size, min(_PREVIEW, max(size)))
            self._previews[photo] = pixels_of(photo, self._lenses[photo], small, detail=1)
        return self._previews[photo]

    def _masks(self, split: Split) -> Tensor | MaskStack | None:
        """Return which pixels of one split to ignore; None to ignore none."""
        photos = self.splits[split]
        if all(photo.mask is None and self._placements[photo].size == self._size for photo in photos):
            return None
        rows, columns = self._window
        shape = (len(photos), rows.stop - rows.start, columns.stop - columns.start)
        return stacked_masks(lambda i: self._mask(photos[i]), shape)

    def _mask(self, photo: PosedPhoto) -> Tensor:
        place = self._placements[photo]
        canvas = np.ones(self._size, np.bool_)
        canvas[place.window] = False if photo.mask is None else ignored_of(photo, self._lenses[photo], place.size)
        return torch.from_numpy(canvas[self._window])


def _window(height: int, width: int, multiple: int) -> tuple[slice, slice]:
    """Return the slices of the largest centred window with sides that are multiples of ``multiple``."""
    if min(height, width) < multiple:
        raise UserError(f"multiple_of {multiple} is more than photos of {width}x{height} pixels have")
    rows, columns = height - height % multiple, width - width % multiple
    top, left = (height - rows) // 2, (width - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)


def _intrinsics(placements: list[Placement]) -> Tensor:
    """Return (n, 4) float32."""
    return torch.tensor([place.intrinsics for place in placements], dtype=torch.float32).reshape(-1, 4)


def _resized(alpha: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(alpha.shape) == size:
        return alpha
    return torch.nn.functional.interpolate(alpha[None, None], size, mode="area")[0, 0]
