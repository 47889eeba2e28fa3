"""coremltools, imported and run without its irrelevant output.

On import it warns that torch is newer than the tested version and, except on macOS, that Apple's native libraries
are missing; while converting it shows progress bars. None of this helps a user: parity is measured on the saved
package, and what can't run here is reported. Errors are not suppressed.
"""

from __future__ import annotations

import functools
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import tqdm

_LOGGER = logging.getLogger("coremltools")


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


@contextmanager
def quiet() -> Iterator[None]:
    """Within this context coremltools logs only errors and shows no progress bars."""
    # A filter, not a level: coremltools sets its logger's level itself.
    _LOGGER.addFilter(_is_error)
    # The bars can't be switched off; nothing else uses tqdm during a conversion.
    without_bars = functools.partialmethod(tqdm.tqdm.__init__, disable=True)
    try:
        with mock.patch.object(tqdm.tqdm, "__init__", without_bars), warnings.catch_warnings():
            # The garbage collector removes coremltools' temporary folder with a warning.
            warnings.simplefilter("ignore", ResourceWarning)
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="coremltools")  # its own calls
            # It tests whether the largest integers fit into fp16.
            warnings.filterwarnings("ignore", message="overflow encountered in cast", category=RuntimeWarning)
            # torch.export copies a class that torch itself has deprecated.
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            yield
    finally:
        _LOGGER.removeFilter(_is_error)


@contextmanager
def _without(*names: str, empty: str) -> Iterator[None]:
    """Keep coremltools from importing optional packages, which print or take seconds and are not needed here.

    Args:
        names: packages whose import fails within this context, as coremltools expects.
        empty: a package of its own that it insists on, which then has no content.

    """
    hidden = [name for name in (*names, empty) if name not in sys.modules]
    absent: dict[str, Any] = dict.fromkeys(hidden)  # None makes an import fail
    if empty in absent:
        absent[empty] = ModuleType(empty)
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        if empty in absent and (parent := sys.modules.get(empty.rpartition(".")[0])):
            vars(parent).pop(empty.rpartition(".")[2], None)  # who imports it later gets the package


try:
    # Compression of torch's modules during training imports half of torch.
    with quiet(), _without("executorch", "sklearn", "torchao", "xgboost", empty="coremltools.optimize.torch"):
        import coremltools
        import coremltools.optimize.coreml as optimize

        # coremltools' own kmeans1d counts repeated numbers; the one on PyPI can't, and is four times slower.
        from coremltools._deps import _kmeans1d as kmeans1d
        from coremltools.proto import MIL_pb2, Model_pb2
except ModuleNotFoundError as error:
    raise ImportError(
        "coremltools is missing: on Linux x86-64 and macOS pip install 'coremltools>=9,<10'; it does not exist "
        "elsewhere: choose other exports, such as --export onnx"
    ) from error

__all__ = ["MIL_pb2", "Model_pb2", "coremltools", "kmeans1d", "optimize", "quiet"]
