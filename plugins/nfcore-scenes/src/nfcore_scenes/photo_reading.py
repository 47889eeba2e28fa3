"""One photo of a capture at one size: its place on the common canvas, its pixels and its mask, undistorted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from nfcore import UserError
from nfcore.dataset import PhotoHeader, photo_header, read_photo
from nfcore_scenes.lenses import Lens
from nfcore_scenes.photo_cache import content_key, kept
from nfcore_scenes.recording import PosedPhoto
from nfcore_scenes.undistortion import undistorted

#: Relative tolerance of a photo's aspect ratio against its camera's: halving odd sides rounds.
_ASPECT_TOLERANCE = 0.01
#: A photo is undistorted at a size that has at least this many times the pixels that are needed along each side.
DETAIL = 4
#: Photos of more pixels are not cached: the folder would grow by gigabytes with one capture.
_MOST_CACHED = 4_000_000
#: Pixels of a scaled photo of which a mask ignores more than this share are ignored: the rest shows its colour.
_LEAST_IGNORED = 0.01


@dataclass(frozen=True)
class Placement:
    """Where a photo is on the canvas that all photos share.

    Args:
        size: (height, width) of the photo in pixels of the canvas.
        top: rows of the canvas above it.
        left: columns of the canvas to its left.
        intrinsics: fx, fy, cx, cy in pixels of the canvas.

    """

    size: tuple[int, int]
    top: int
    left: int
    intrinsics: tuple[float, float, float, float]

    @property
    def window(self) -> tuple[slice, slice]:
        """The photo's rows and columns of the canvas."""
        height, width = self.size
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def stored_lens(photo: PosedPhoto, header: PhotoHeader) -> Lens:
    """Return the photo's lens at the size of its file.

    Raises:
        UserError: the file has another shape than the lens's photo.

    """
    lens = photo.lens
    for height, width in header.sizes:
        if abs(height * lens.width / (width * lens.height) - 1) <= _ASPECT_TOLERANCE:
            return lens if (height, width) == lens.size else lens.scaled(height, width)
    raise UserError(
        f"{photo.file} is {header.width}x{header.height} pixels, but its camera is of {lens.width}x{lens.height}: "
        "the photo must be the one that was posed, or the same scaled down"
    )


def placed(lens: Lens, canvas: tuple[int, int], file: Path) -> Placement:
    """Return the place of a photo on a ``canvas`` (height, width): as large as fits, in the middle.

    Raises:
        UserError: the lens's distortion can't be undone; names ``file``.

    """
    height, width = canvas
    if abs(height * lens.width / (width * lens.height) - 1) > _ASPECT_TOLERANCE:
        scale = min(height / lens.height, width / lens.width)
        height, width = (max(1, round(side * scale)) for side in lens.size)
    top, left = (canvas[0] - height) // 2, (canvas[1] - width) // 2
    try:
        fx, fy, cx, cy = lens.pinhole()
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    across, down = width / lens.width, height / lens.height
    return Placement((height, width), top, left, (fx * across, fy * down, cx * across + left, cy * down + top))


def pixels_of(photo: PosedPhoto, lens: Lens, size: tuple[int, int], detail: int = DETAIL) -> npt.NDArray[np.uint8]:
    """Return a photo, undistorted, at ``size``: (height, width, 3 or 4) RGB or straight RGBA, 8-bit.

    ``detail`` is how many times the pixels along each side it has, at least, while it is undistorted.

    Raises:
        UserError: as ``nfcore.dataset.read_photo``.

    """
    if not lens.distorts:
        return _read(photo, lens.size, size)
    if size[0] * size[1] > _MOST_CACHED:
        return _undistorted(photo, lens, size, detail)
    files = [file for file in (photo.file, photo.cutout) if file is not None]
    key = content_key(files, f"{lens} {size} {detail} {photo.cutout is None}")
    return kept(key, lambda: _undistorted(photo, lens, size, detail))


def _undistorted(photo: PosedPhoto, lens: Lens, size: tuple[int, int], detail: int) -> npt.NDArray[np.uint8]:
    middle = working_size(lens.size, size, detail)
    pixels = undistorted(_read(photo, lens.size, middle), lens.scaled(*middle), smooth=middle == size)
    return _scaled(pixels, size)


def ignored_of(photo: PosedPhoto, lens: Lens, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which pixels of a photo at ``size`` its mask ignores, (height, width) bool.

    Raises:
        UserError: the mask is missing, no picture, or has another shape than the photo.

    """
    assert photo.mask is not None
    middle = working_size(lens.size, size, DETAIL)
    shown = _grey(photo.mask, lens.size)
    seen = _scaled(255 - shown if photo.mask_is_white else shown, middle)[..., None]
    if lens.distorts:
        seen = undistorted(seen, lens.scaled(*middle), smooth=False)
    seen = _scaled(np.ascontiguousarray(seen[..., 0]), size)
    return seen < 255 * (1 - _LEAST_IGNORED)


def working_size(full: tuple[int, int], size: tuple[int, int], detail: int) -> tuple[int, int]:
    """Return the size at which a photo is undistorted: a half, quarter, ... of its own that has enough detail.

    >>> working_size((3000, 4000), (300, 400), detail=4)
    (1500, 2000)
    """
    factor = 1
    while all(side >= 2 * factor * detail * needed for side, needed in zip(full, size, strict=True)):
        factor *= 2
    return (max(1, round(full[0] / factor)), max(1, round(full[1] / factor)))


def _read(photo: PosedPhoto, full: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a photo scaled to ``size``, transparent where its cut-out is black."""
    pixels = read_photo(photo.file, full, size)
    if photo.cutout is None:
        return pixels
    alpha = _scaled(_grey(photo.cutout, full), size)
    if pixels.shape[-1] == 4:
        alpha = (alpha.astype(np.uint16) * pixels[..., 3] // 255).astype(np.uint8)
    return np.concatenate([pixels[..., :3], alpha[..., None]], -1)


def _grey(mask: Path, full: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a mask at the photo's size, (height, width): 255, or 0 where it is black.

    Its own size may be another one of the same shape. Values over half of its greatest are white, so that masks
    of 0 and 1 are read too.
    """
    size = photo_header(mask).size
    if abs(size[0] * full[1] / (size[1] * full[0]) - 1) > _ASPECT_TOLERANCE:
        raise UserError(
            f"mask {mask} is {size[1]}x{size[0]} pixels, which is another shape than its photo's "
            f"{full[1]}x{full[0]}: it must have the photo's size, or be the same scaled"
        )
    pixels = read_photo(mask, size, size)
    values = pixels[..., :3].max(-1)
    if pixels.shape[-1] == 4 and pixels[..., 3].min() < 255:
        values = np.minimum(values, pixels[..., 3])
    white = np.where(2 * values.astype(np.uint16) > values.max(), 255, 0).astype(np.uint8)
    if size == full:
        return white
    return np.array(Image.fromarray(white).resize((full[1], full[0]), Image.Resampling.NEAREST))


def _scaled(pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return pixels (h, w) or (h, w, 3 or 4) at another size: areas averaged, or interpolated where it grows."""
    height, width = pixels.shape[:2]
    if (height, width) == size:
        return pixels
    shrinks = height >= size[0] and width >= size[1]
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return np.array(Image.fromarray(pixels).resize((size[1], size[0]), method))
