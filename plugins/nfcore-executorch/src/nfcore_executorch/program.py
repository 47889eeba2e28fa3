"""A ``.pte`` in ExecuTorch's runtime: one camera in, one image out, on a number of threads."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from nfcore import UserError
from nfcore_executorch.toolchain import Method, Runtime, caught, portable_lib, quiet

#: Shapes of the inputs.
INPUTS = ((1, 3, 4), (1, 4))


class _Threads:
    """The process's thread pool. XNNPACK's programs keep a pointer to the pool of their first run.

    Attributes:
        generation: the number of the present pool; programs of earlier pools must be loaded again.

    """

    def __init__(self) -> None:
        with quiet():
            self.default: int = portable_lib._threadpool_get_thread_count()
        self.count = self.default
        self.generation = 0

    def use(self, count: int) -> int:
        """Use ``count`` threads, and return the generation of the pool."""
        if count != self.count:
            with quiet():
                portable_lib._unsafe_reset_threadpool(count)
            self.count = count
            self.generation += 1
        return self.generation


_THREADS = _Threads()


class Program:
    """A program loaded from a file.

    ExecuTorch has one thread pool: after a program ran with another number of threads, the next run of this one
    loads it again.

    Args:
        path: the exported file.
        threads: number of threads; None for ExecuTorch's default.

    Raises:
        UserError: the file is missing, damaged or not from this exporter.

    """

    def __init__(self, path: Path, threads: int | None) -> None:
        self.path = path
        self.threads = threads or _THREADS.default
        if not path.is_file():
            raise UserError(f"{path}: no such file; export the student to get it")
        self.generation = _THREADS.use(self.threads)
        self.method = self._load()

    def __call__(self, pose: Tensor, intrinsics: Tensor) -> Tensor:
        """Return RGB (1, 3, H, W) float32 for a pose (1, 3, 4) and intrinsics (1, 4)."""
        generation = _THREADS.use(self.threads)
        if generation != self.generation:
            self.method, self.generation = self._load(), generation
        with caught():
            (image,) = self.method.execute((pose.contiguous(), intrinsics.contiguous()))
        # The next run writes to the same memory.
        result: Tensor = image.clone()
        return result

    def _load(self) -> Method:
        with caught() as last:
            try:
                program = Runtime.get().load_program(self.path)
                method = program.load_method("forward") if "forward" in program.method_names else None
            except RuntimeError as error:
                reason = last() or str(error)
                raise UserError(f"{self.path}: damaged, ExecuTorch can't load it: {reason}") from None
        if method is None or _shapes(method) != INPUTS:
            raise UserError(f"{self.path}: not a light field: its inputs are not pose and intrinsics")
        return method


def _shapes(method: Method) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the inputs."""
    about = method.metadata
    return tuple(tuple(about.input_tensor_meta(index).sizes()) for index in range(about.num_inputs()))
