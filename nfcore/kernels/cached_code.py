"""Where numba finds a kernel's machine code: by the kernel's module, wherever its sources are installed."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self


class ByModule:
    """A cache locator of numba for folders whose names are a hash of the sources, see ``compile``.

    numba's own have a folder for each path, so that another copy of the same sources, such as a second environment
    or a fresh clone, would compile all kernels again.

    Args:
        function: the kernel in Python.
        file: the file that it is in.

    """

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        config: Any = importlib.import_module("numba").config
        self.folder = Path(config.CACHE_DIR) / function.__module__
        self.line = function.__code__.co_firstlineno
        self.source = hashlib.sha256(Path(file).read_bytes()).hexdigest()

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> Self:
        """Return the locator of a kernel."""
        return cls(function, file)

    def ensure_cache_path(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def get_cache_path(self) -> str:
        """Return the folder."""
        return str(self.folder)

    def get_source_stamp(self) -> str:
        """Return a hash of the kernel's own source: that of another module may not be in the folder's name."""
        return self.source

    def get_disambiguator(self) -> str:
        """Return what tells apart kernels of one name in a module."""
        return str(self.line)
