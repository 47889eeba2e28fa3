"""Photos from files: decoded, scaled down by area averaging, composited on the scene's background."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor
from torch.nn import functional as F

from nfcore.errors import UserError
from nfcore.io.files import check_file
from nfcore.scene.photo_stack import AlphaStack, PhotoStack

#: Formats that are decoded: Pillow's rarer decoders are kept away from untrusted files.
FORMATS = ("PNG", "JPEG", "WEBP")

#: Suffixes of such files, in the order in which they are tried where a data set leaves them out.
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

# If all photos take more bytes than this as 8-bit RGB, each is read when it is needed.
_READ_AT_ONCE = 1 << 27

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
#: Pillow's modes of 16-bit grey; it converts 16-bit RGB to 8-bit itself.
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def photo_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of a photo in pixels, from its header.

    Raises:
        UserError: the file is missing or not a photo.

    """
    with _opened(path) as photo:
        return photo.height, photo.width


def photo_sizes(path: Path) -> tuple[tuple[int, int], ...]:
    """Return (height, width) of a photo as stored and, if its EXIF orientation is a quarter turn, also turned.

    Raises:
        UserError: the file is missing or not a photo.

    """
    with _opened(path) as photo:
        stored = photo.height, photo.width
        return (stored, stored[::-1]) if _is_turned(photo) else (stored,)


def photo_has_alpha(path: Path) -> bool:
    """Return whether a photo may have transparent pixels, from its header.

    Raises:
        UserError: the file is missing or not a photo.

    """
    with _opened(path) as photo:
        return photo.has_transparency_data


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
    if len(paths) * size[0] * size[1] * 3 > _READ_AT_ONCE:
        channels = 4 if any(photo_has_alpha(path) for path in paths) else 3
        stack = PhotoStack(
            lambda i: _eight_bit_of(read_pixels(paths[i], full_size, size), channels),
            (len(paths), *size, channels),
            background,
        )
        return stack, stack.alpha
    images = np.empty((len(paths), *size, 3), np.float32)
    alpha = np.ones((len(paths), *size), np.float32)
    backdrop = np.asarray(background, np.float32)

    def load(index: int) -> bool:
        pixels = read_pixels(paths[index], full_size, size)
        images[index] = pixels[..., :3]
        if pixels.shape[-1] == 3:
            return False
        alpha[index] = pixels[..., 3]
        images[index] += (1 - pixels[..., 3:]) * (backdrop - images[index])
        return True

    # Pillow releases the global lock while it decodes; more threads only take more memory.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        any_alpha = any(list(pool.map(load, range(len(paths)))))
    return torch.from_numpy(images), torch.from_numpy(alpha) if any_alpha else None


def _eight_bit_of(pixels: npt.NDArray[np.float32], channels: int) -> Tensor:
    """Convert the result of ``read_pixels`` to uint8, exactly; opaque if it has no alpha but needs one."""
    found = torch.from_numpy(pixels * 255).round().to(torch.uint8)
    return found if found.shape[-1] == channels else F.pad(found, (0, 1), value=255)


def read_pixels(path: Path, full_size: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Return one photo as (height, width, 3 or 4) float32 RGB or straight RGBA in [0, 1], scaled to ``size``.

    ``full_size`` and ``size`` are (height, width) in pixels. Areas are averaged with alpha as weight, as Pillow
    does for RGBA. Grey and palette photos become RGB.

    Raises:
        UserError: as ``load_photos``.

    """
    with _opened(path) as photo:
        # Pixels are used as stored, as in COLMAP, NeRF and Instant-NGP, unless only turning them fits the size.
        turned = _is_turned(photo) and (photo.width, photo.height) == full_size
        if (photo.height, photo.width) != full_size and not turned:
            raise UserError(
                f"{path} is {photo.width}x{photo.height} pixels, "
                f"not {full_size[1]}x{full_size[0]} as the first photo"
            )
        if photo.mode not in (*_EIGHT_BIT_MODES, *_SIXTEEN_BIT_MODES):
            raise UserError(f"{path} has pixels of kind {photo.mode!r}: photos must be RGB, RGBA or grey")
        photo.load()
        colours = _eight_bit(ImageOps.exif_transpose(photo) if turned else photo)
        scaled = colours.resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(scaled, np.float32) / np.float32(255)


def composited(
    pixels: npt.NDArray[np.uint8], background: tuple[float, float, float]
) -> tuple[Tensor | PhotoStack, Tensor | AlphaStack | None]:
    """Composite 8-bit RGB or straight RGBA (n, h, w, 3 or 4) on ``background``; returns what ``load_photos`` does.

    >>> images, alpha = composited(np.zeros((1, 2, 2, 4), np.uint8), background=(1.0, 1.0, 1.0))
    >>> images[0, 0, 0], alpha[0, 0, 0]
    (tensor([1., 1., 1.]), tensor(0.))
    """
    if pixels[..., :3].size > _READ_AT_ONCE:
        n, height, width, channels = pixels.shape
        stack = PhotoStack(lambda i: torch.from_numpy(pixels[i]), (n, height, width, channels), background)
        return stack, stack.alpha
    colours = torch.from_numpy(pixels[..., :3]).float() / 255
    if pixels.shape[-1] == 3:
        return colours, None
    alpha = torch.from_numpy(pixels[..., 3]).float() / 255
    backdrop = torch.tensor(background)
    return backdrop + alpha[..., None] * (colours - backdrop), alpha


def _eight_bit(photo: Image.Image) -> Image.Image:
    """Return a photo as 8-bit RGB, or RGBA where it has alpha."""
    if photo.mode in _SIXTEEN_BIT_MODES:
        grey = np.asarray(photo).astype(np.float32) / 257
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    return photo.convert("RGBA" if photo.has_transparency_data else "RGB")


def _is_turned(photo: Image.Image) -> bool:
    """Whether the photo's EXIF orientation is a quarter turn."""
    return photo.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a photo; any error for a broken file becomes a UserError that names it."""
    try:
        if path.exists():
            check_file(path)
        with Image.open(path, formats=FORMATS) as photo:
            yield photo
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"photo {path} is missing") from None
    except Exception as error:  # decoders raise anything from SyntaxError to struct.error for broken bytes
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path} can't be read: {error.strerror}") from error
        raise UserError(f"{path} is no complete {', '.join(FORMATS[:-1])} or {FORMATS[-1]} photo") from error
