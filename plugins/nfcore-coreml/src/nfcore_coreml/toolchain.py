"""coremltools, imported and run without the noise that it makes here.

On import it warns that this torch is newer than the one it was tested with and, off macOS, that each of Apple's
native libraries is missing; while converting it draws progress bars. None of it helps a user: parity is measured
on the saved package, and what can't run here is said in words. Errors still come through.
"""

from __future__ import annotations

import functools
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import tqdm

_LOGGER = logging.getLogger("coremltools")


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


@contextmanager
def quiet() -> Iterator[None]:
    """Within this context coremltools logs only errors and draws no progress bars; afterwards all is as before."""
    # A filter and not a level: coremltools sets its logger's level itself.
    _LOGGER.addFilter(_is_error)
    # The bars have no switch; they are the only users of tqdm while a model is converted.
    without_bars = functools.partialmethod(tqdm.tqdm.__init__, disable=True)
    try:
        with mock.patch.object(tqdm.tqdm, "__init__", without_bars), warnings.catch_warnings():
            # coremltools leaves a temporary folder to the garbage collector, which removes it, with a warning.
            warnings.simplefilter("ignore", ResourceWarning)
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="coremltools")  # its own calls
            # It tries whether the greatest integers fit into fp16.
            warnings.filterwarnings("ignore", message="overflow encountered in cast", category=RuntimeWarning)
            # torch.export copies a class that torch itself has deprecated.
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            yield
    finally:
        _LOGGER.removeFilter(_is_error)


@contextmanager
def _without(*names: str) -> Iterator[None]:
    """Keep coremltools from importing what it takes along where it is installed: loud and not needed here."""
    hidden = [name for name in names if name not in sys.modules]
    absent: dict[str, Any] = dict.fromkeys(hidden)  # None is the import system's sign for: not to be had
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with quiet(), _without("executorch", "torchao"):
    import coremltools
    import coremltools.optimize.coreml as optimize

    # The kmeans1d that coremltools ships counts repeated numbers; the one on PyPI can't, and is four times slower.
    from coremltools._deps import _kmeans1d as kmeans1d
    from coremltools.proto import MIL_pb2, Model_pb2

__all__ = ["MIL_pb2", "Model_pb2", "coremltools", "kmeans1d", "optimize", "quiet"]
