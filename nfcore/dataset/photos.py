"""Photos from files: their headers, and their pixels decoded at the size that is needed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from nfcore.dataset.decoding import MOST_PIXELS, check_density, decoding
from nfcore.dataset.exif import UP, exif_of, exposure, is_turned
from nfcore.dataset.photo_formats import decoder_for, formats, not_decoded
from nfcore.errors import UserError
from nfcore.io.files import check_file
from nfcore.scene.mask_stack import MaskStack
from nfcore.scene.photo_stack import AlphaStack, PhotoStack

# If all photos take more bytes than this as 8-bit RGB, each is read when it is needed, and stays 8-bit: as float32
# RGBA they take five times as many.
_READ_AT_ONCE = 1 << 25

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
#: Pillow's modes of 16-bit grey; it converts 16-bit RGB to 8-bit itself.
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
#: A JPEG is decoded at a fraction of its size that is at least this many times the size that is needed.
_DRAFT_MARGIN = 2

# Pillow warns about photos with many pixels; ``check_density`` checks them here.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class PhotoHeader:
    """What a photo's header says.

    Args:
        height: stored height in pixels.
        width: stored width in pixels.
        turned: whether its EXIF orientation is a quarter turn.
        up: the side of the stored photo that the EXIF orientation says is up: ``top``, ``bottom``, ``left`` or
            ``right``; None where it says nothing.
        alpha: whether it may have transparent pixels.
        exposure: seconds of exposure times ISO speed over 100, or None where it is not known.

    >>> PhotoHeader(3000, 4000, turned=True, up="left", alpha=False, exposure=None).sizes
    ((3000, 4000), (4000, 3000))

    """

    height: int
    width: int
    turned: bool
    up: str | None
    alpha: bool
    exposure: float | None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels as stored."""
        return self.height, self.width

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """(height, width) as stored and, if the EXIF orientation is a quarter turn, also turned."""
        return (self.size, self.size[::-1]) if self.turned else (self.size,)


def photo_header(path: Path) -> PhotoHeader:
    """Return what a photo's header says, without decoding the photo.

    Raises:
        UserError: the file is missing or not a photo.

    """
    with _opened(path) as photo:
        exif = exif_of(path, photo)
        return PhotoHeader(
            height=photo.height,
            width=photo.width,
            turned=is_turned(exif),
            up=UP.get(exif.get(ExifTags.Base.Orientation, 0)),
            alpha=photo.has_transparency_data,
            exposure=exposure(exif),
        )


def scaled_size(height: int, width: int, image_size: int | None) -> tuple[int, int]:
    """Return (height, width) in pixels with ``image_size`` as the longer side; None keeps the size.

    The other side is rounded to whole pixels, so each focal length must be scaled by its own side.

    >>> scaled_size(1080, 1920, 400)
    (225, 400)

    Raises:
        UserError: ``image_size`` is less than 1, or more than the photos have.

    """
    longer = max(height, width)
    if image_size is None:
        return height, width
    if not 1 <= image_size <= longer:
        raise UserError(
            f"image_size {image_size} does not fit photos of {width}x{height} pixels: choose 1 to {longer}"
        )
    return max(1, round(height * image_size / longer)), max(1, round(width * image_size / longer))


def load_photos(
    paths: Sequence[Path],
    full_size: tuple[int, int],
    size: tuple[int, int],
    background: tuple[float, float, float],
) -> tuple[Tensor | PhotoStack, Tensor | AlphaStack | None]:
    """Read photos, scale them down and composite them on ``background``.

    If they are large together, each photo is read when it is needed: an error in one is then raised later.

    Args:
        paths: n files, all of one size.
        full_size: (height, width) in pixels that each file must have.
        size: (height, width) in pixels to scale to.
        background: RGB in [0, 1].

    Returns:
        Images (n, height, width, 3) float32 RGB in [0, 1], and alpha (n, height, width) float32 in [0, 1], or
        None where no photo has alpha. If only some have alpha, the others are opaque.

    Raises:
        UserError: a file is missing, truncated, not a photo, or of another size; names the first such file.

    """
    channels = 4 if any(photo_header(path).alpha for path in paths) else 3
    return stacked(lambda i: read_photo(paths[i], full_size, size), (len(paths), *size, channels), background)


def stacked(
    read: Callable[[int], npt.NDArray[np.uint8]],
    shape: tuple[int, int, int, int],
    background: tuple[float, float, float],
    preview: Callable[[int], npt.NDArray[np.uint8]] | None = None,
) -> tuple[Tensor | PhotoStack, Tensor | AlphaStack | None]:
    """Return n photos as ``nfcore.Views`` holds them: tensors if they are small together, else a ``PhotoStack``.

    >>> images, alpha = stacked(lambda i: np.zeros((2, 3, 4), np.uint8), (1, 2, 3, 4), (1.0, 1.0, 1.0))
    >>> images[0, 0, 0], alpha[0, 0, 0]
    (tensor([1., 1., 1.]), tensor(0.))

    Args:
        read: decodes photo i: (height, width, 3 or 4) RGB or straight RGBA; without alpha it is opaque.
        shape: n, height, width, and 3 or 4 channels.
        background: RGB in [0, 1] that photos with alpha are composited on.
        preview: decodes photo i at a small size, for what needs no detail; by default it is scaled down.

    """
    channels = shape[3]
    stack = PhotoStack(
        lambda i: torch.from_numpy(_with_channels(read(i), channels)),
        shape,
        background,
        None if preview is None else lambda i: torch.from_numpy(_with_channels(preview(i), channels)),
    )
    if _is_large(shape):
        return stack, stack.alpha
    return stack[:], None if stack.alpha is None else stack.alpha[:]


def stacked_masks(read: Callable[[int], Tensor], shape: tuple[int, int, int]) -> Tensor | MaskStack:
    """Return n masks as ``nfcore.Views`` holds them: a tensor if they are small together, else a ``MaskStack``.

    >>> stacked_masks(lambda i: torch.zeros(2, 3, dtype=torch.bool), (1, 2, 3)).shape
    torch.Size([1, 2, 3])

    Args:
        read: decodes mask i: (height, width) bool, True where a pixel is to be ignored.
        shape: n, height, width.

    """
    masks = MaskStack(read, shape)
    return masks if _is_large(shape) else masks[:]


def _is_large(shape: Sequence[int]) -> bool:
    return math.prod(shape[:3]) * 3 > _READ_AT_ONCE


def _with_channels(pixels: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    """Return pixels with an opaque alpha if they have none but need it."""
    if pixels.shape[-1] == channels:
        return pixels
    return np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], -1)


def read_photo(path: Path, full_size: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return one photo as (height, width, 3 or 4) RGB or straight RGBA, 8-bit, scaled to ``size``.

    ``full_size`` and ``size`` are (height, width) in pixels. Areas are averaged with alpha as weight, as Pillow
    does for RGBA. A JPEG that is scaled down is decoded at a fraction of its size. Grey and palette photos become
    RGB.

    Raises:
        UserError: as ``load_photos``.

    """
    with _opened(path) as photo:
        # Pixels are used as stored, as in COLMAP, NeRF and Instant-NGP, unless only turning them fits the size.
        turned = (photo.width, photo.height) == full_size and is_turned(exif_of(path, photo))
        if (photo.height, photo.width) != full_size and not turned:
            raise UserError(
                f"{path} is {photo.width}x{photo.height} pixels, "
                f"not {full_size[1]}x{full_size[0]} as the first photo"
            )
        if photo.mode not in (*_EIGHT_BIT_MODES, *_SIXTEEN_BIT_MODES):
            raise UserError(f"{path} has pixels of kind {photo.mode!r}: photos must be RGB, RGBA or grey")
        stored = size[::-1] if turned else size
        photo.draft("RGB", (_DRAFT_MARGIN * stored[1], _DRAFT_MARGIN * stored[0]))
        with decoding(path, *photo.size):
            photo.load()
            colours = _eight_bit(ImageOps.exif_transpose(photo) if turned else photo)
            return _resized(colours, size)


def _resized(photo: Image.Image, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Return a photo scaled to (height, width): areas are averaged, or interpolated where it grows."""
    shrinks = photo.height >= size[0] and photo.width >= size[1]
    method = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    return np.array(photo.resize((size[1], size[0]), method))


def _eight_bit(photo: Image.Image) -> Image.Image:
    """Return a photo as 8-bit RGB, or RGBA where it has alpha."""
    if photo.mode in _SIXTEEN_BIT_MODES:
        grey = np.asarray(photo).astype(np.float32) / 257
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    mode = "RGBA" if photo.has_transparency_data else "RGB"
    return photo if photo.mode == mode else photo.convert(mode)  # which would copy it


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a photo; any error for a broken file becomes a UserError that names it."""
    decoder_for(path)
    try:
        if path.exists():
            check_file(path)
        with Image.open(path, formats=formats()) as photo:
            check_density(path, photo)
            yield photo
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(f"{path} has more than {MOST_PIXELS // 10**6} million pixels: scale it down") from None
    except FileNotFoundError:
        raise UserError(f"photo {path} is missing") from None
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error for broken bytes
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path} can't be read: {error.strerror}") from error
        raise not_decoded(path) from error
