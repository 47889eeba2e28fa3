"""ExecuTorch, imported and run without the noise that it makes here.

On import torchao warns of CUDA libraries that it did not find; where a graph can't be traced it is printed whole;
the runtime says that files of an ARM system are missing, through Python's error stream or past it. None of it
helps a user. What the runtime says before an error does: it is the only place where ExecuTorch says what is wrong.
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
    """Within this context nothing is logged below an error, nothing is warned of; afterwards all is as before."""
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
    """Within this context nothing is printed, by Python or native code; gives a function for its last line."""
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
