"""When kernels are compiled and where machine code is kept: lazily, once for each machine and version.

numba caches machine code by the time stamp of the file that a function is in. It sees neither the functions that
are called from there nor global constants, so that code could be stale. Here the folder's name is a hash of all
that counts: the sources of these kernels and of the module that is loaded, the versions of numba and llvmlite. The
same sources elsewhere find the same folder.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import platformdirs

F = TypeVar("F", bound=Callable[..., Any])

#: Names the folder that machine code is kept in; ``off`` turns the kernels off: torch then does all work.
VARIABLE = "NFCORE_KERNELS"
_HERE = Path(__file__).parent
_INSTALL = "pip install numba"
_PATIENCE = 180  # seconds
_CACHE = ("CACHE_DIR", "CACHE_LOCATOR_CLASSES")  # of numba's settings
_lock = threading.RLock()
_loaded: dict[str, ModuleType | Unavailable] = {}
_caching = False
_by_torch = ContextVar("_by_torch", default=False)


@dataclass(frozen=True)
class Unavailable:
    """Kernels that can't run here.

    Args:
        reason: one line: what is missing and what would help.

    """

    reason: str


def load(module: str, say: Callable[[str], None] | None = None) -> ModuleType | Unavailable:
    """Import the module of kernels with that name, or say why none can run on this machine.

    The first call on a machine compiles, which takes some seconds for each kernel, at the kernel's first use. A
    module may define ``warm_up()``, which runs its kernels on something tiny: they are then compiled here, and one
    that fails makes the module unavailable instead of ending a fit.

    Args:
        module: full name, such as ``nfcore.kernels.marching``; of a package, its modules are loaded with it.
        say: called with one line when compilation starts, or when nothing can be cached. None writes it to stderr.

    """
    if _by_torch.get():
        return Unavailable("kernels are switched off here")
    with _lock:
        if os.environ.get(VARIABLE) == "off":
            return Unavailable(f"the environment has {VARIABLE}=off")
        if module not in _loaded:
            _loaded[module] = _load(module, say or _to_stderr)
        return _loaded[module]


@contextmanager
def without_kernels() -> Iterator[None]:
    """Let torch do all work within the context, in the thread that enters it: kernels round in another order.

    >>> with without_kernels():
    ...     load("nfcore.kernels.marching").reason
    'kernels are switched off here'
    """
    token = _by_torch.set(True)
    try:
        yield
    finally:
        _by_torch.reset(token)


def kernel(function: F) -> F:
    """Compile a function on its first call with given types: float32 arithmetic that may be reordered, no lock.

    Machine code is kept between processes if the function's module is imported by ``load``.
    """
    import numba

    jit: Any = numba.njit(cache=_caching, fastmath=True, boundscheck=False, nogil=True, error_model="numpy")
    compiled: F = jit(function)
    return compiled


def lowered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that writes LLVM's instructions callable from kernels; see ``vectors``."""
    from numba.extending import intrinsic

    made: Callable[..., Any] = intrinsic(function)
    return made


def _load(module: str, say: Callable[[str], None]) -> ModuleType | Unavailable:
    if importlib.util.find_spec("numba") is None:
        return Unavailable(f"numba is not installed: '{_INSTALL}' makes this several times as fast")
    try:
        sources = sorted({*_HERE.glob("*.py"), *_sources(module)})
        folder = _folder(sources, say)
        with _cached_in(folder), _one_process_in(folder):
            loaded = importlib.import_module(module)
            warm_up = getattr(loaded, "warm_up", None)
            if warm_up is not None:
                if _fresh(folder):
                    say("compiling kernels for this machine: half a minute, the first time only")
                warm_up()
    except Exception as error:  # numba and LLVM raise anything; a fit that is slower is better than none
        sys.modules.pop(module, None)
        line = str(error).strip().partition("\n")[0] or type(error).__name__
        return Unavailable(f"numba can't compile the kernels ({line}): torch does their work, which takes longer")
    return loaded


def _sources(module: str) -> Iterable[Path]:
    """Return the files that a module is made of, and those that these import from: constants are compiled too."""
    own = list(_files(module))
    package = module.partition(".")[0]
    imported = {
        node.module
        for file in own
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{package}.")
    }
    return {*own, *(file for name in imported for file in _files(name))}


def _files(module: str) -> Iterable[Path]:
    """Return the file of a module, which is not imported for it; of a package, all in its folder."""
    package, *names = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module {module}")
    if not names:
        origin = Path(spec.origin)
        return origin.parent.glob("*.py") if spec.submodule_search_locations else (origin,)
    place = Path(spec.origin).parent.joinpath(*names)
    if place.is_dir():
        return place.glob("*.py")
    if not place.with_suffix(".py").is_file():
        raise ModuleNotFoundError(f"no module {module}")
    return (place.with_suffix(".py"),)


def _folder(sources: list[Path], say: Callable[[str], None]) -> Path | None:
    """Return the folder for machine code of ``sources``, or None if it can't be written."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("numba", "llvmlite"):
        digest.update(importlib.metadata.version(name).encode())
    for source in sources:
        digest.update(source.name.encode() + source.read_bytes())
    given = os.environ.get(VARIABLE)
    base = Path(given) if given else platformdirs.user_cache_path("nfcore") / "kernels"
    folder = base / digest.hexdigest()[:20]
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        say(
            f"can't keep compiled kernels in {base} ({error.strerror}): every process compiles them again; "
            f"{VARIABLE}=FOLDER names another folder"
        )
        return None


class _cached_in:  # noqa: N801 - used as a function
    """Let kernels that are decorated meanwhile keep their machine code in ``folder``; None keeps none."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def __enter__(self) -> None:
        global _caching
        self.before = _caching
        self.config: Any = importlib.import_module("numba").config
        self.config_before = {name: getattr(self.config, name, "") for name in _CACHE}
        _caching = self.folder is not None
        if self.folder is not None:
            self.config.CACHE_DIR = str(self.folder)
            self.config.CACHE_LOCATOR_CLASSES = "nfcore.kernels.cached_code.ByModule"  # older numba ignores it

    def __exit__(self, *_: object) -> None:
        global _caching
        _caching = self.before
        for name, value in self.config_before.items():
            setattr(self.config, name, value)


def _fresh(folder: Path | None) -> bool:
    return folder is None or not any(folder.glob("**/*.nbc"))


@contextmanager
def _one_process_in(folder: Path | None) -> Iterator[None]:
    """Wait, but not for ever, while another process compiles the same: both would take twice as long."""
    if folder is None or not _fresh(folder):
        yield
        return
    from filelock import FileLock, Timeout

    lock = FileLock(folder / "compiling.lock", fallback_to_soft=False)  # a soft lock outlives its process
    with suppress(Timeout, OSError, NotImplementedError):  # it takes too long, or the disk has no locks
        lock.acquire(timeout=_PATIENCE)
    try:
        yield
    finally:
        lock.release()


def _to_stderr(text: str) -> None:
    print(f"nfcore: {text}", file=sys.stderr)  # noqa: T201
