"""Text files of numbers, such as matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from nfcore import UserError
from nfcore.io import read_file
from nfcore_scenes.encodings import decoded

#: Larger files are no matrices.
_MOST_BYTES = 1 << 20


def numbers_in(file: Path, counts: tuple[int, ...] | None) -> npt.NDArray[np.float64]:
    """Return the numbers of a text file, (n,) float64.

    Args:
        file: numbers between spaces, commas or line ends.
        counts: how many there may be; None for any.

    Raises:
        UserError: the file is missing, holds something else, or another number of them.

    """
    try:
        text = decoded(read_file(file, _MOST_BYTES)).replace(",", " ")
        numbers = np.array([float(word) for word in text.split()])
    except (ValueError, OverflowError):
        raise UserError(f"{file} must hold numbers, and nothing else") from None
    if counts is not None and len(numbers) not in counts:
        raise UserError(f"{file} must hold {' or '.join(map(str, counts))} numbers, not {len(numbers)}")
    return numbers
