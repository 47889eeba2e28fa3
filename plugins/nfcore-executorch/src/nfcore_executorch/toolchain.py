"""ExecuTorch, imported and run without its irrelevant output.

On import torchao warns about missing CUDA libraries; a graph that can't be traced is printed in full; the runtime
reports missing files of an ARM system, on Python's error stream or directly. None of this helps a user. But what
the runtime prints before an error does: only there does ExecuTorch name the cause.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress logging below errors, and warnings, within this context."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def caught() -> Iterator[Callable[[], str]]:
    """Capture what Python and native code print within this context; yield a function for its last line."""
    printed = io.StringIO()
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:

        def last() -> str:
            file.seek(0)
            lines = (printed.getvalue() + file.read().decode(errors="replace")).strip().splitlines()
            return lines[-1].partition("] ")[2] if lines else ""

        os.dup2(file.fileno(), 2)
        try:
            with redirect_stdout(printed), redirect_stderr(printed):
                yield last
        finally:
            os.dup2(kept, 2)
            os.close(kept)


with quiet():
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import ExecutorchProgramManager, to_edge_transform_and_lower
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Method, Runtime

__all__ = [
    "ExecutorchProgramManager",
    "Method",
    "Runtime",
    "XnnpackPartitioner",
    "caught",
    "portable_lib",
    "quiet",
    "to_edge_transform_and_lower",
]
