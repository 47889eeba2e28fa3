"""The processes that train a student together: those that ``torchrun`` started, or only this one.

All of them run the same program on the same run folder. The first one (rank 0) writes files and messages; the
others only take their shares of the batches, and wait while the first does work that can't be shared.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn

from nfcore.errors import UserError

# The others wait while the first fits a teacher or exports, however long that takes.
_PATIENCE = timedelta(days=30)


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that ``torchrun`` started; without it, or if they are joined already, do nothing.

    Gloo connects them on CPUs, NCCL on GPUs: each process uses the GPU of its local rank.

    Raises:
        UserError: there are more processes on this machine than GPUs.

    """
    if _together() or not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield
        return
    if torch.cuda.is_available():
        local, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= count:
            raise UserError(f"torchrun started {local + 1} processes or more for {count} GPUs: start one per GPU")
        torch.cuda.set_device(local)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()


def _together() -> bool:
    return distributed.is_available() and distributed.is_initialized()


def count() -> int:
    """Return how many processes there are."""
    return distributed.get_world_size() if _together() else 1


def rank() -> int:
    """Return this process's number, from 0."""
    return distributed.get_rank() if _together() else 0


def first() -> bool:
    """Whether this is the process that writes files and messages."""
    return rank() == 0


def wait() -> None:
    """Wait for all processes."""
    if _together():
        _all_reduced(torch.zeros(()))


def agreed(value: float) -> float:
    """Return the first process's ``value`` in all of them."""
    if not _together():
        return value
    decided = torch.tensor(value, dtype=torch.float64)
    distributed.broadcast(decided, src=0)
    return float(decided)


def mean(values: Tensor) -> Tensor:
    """Return the mean of ``values`` over all processes; they have the same shape in each."""
    return _all_reduced(values.clone()) / count() if _together() else values


def gathered(values: Tensor) -> Tensor:
    """Return the ``values`` (n, ...) of all processes in the order of their ranks, (n * count, ...)."""
    if not _together():
        return values
    parts = [torch.empty_like(values) for _ in range(count())]
    distributed.all_gather(parts, values)
    return torch.cat(parts)


def share(batch: int) -> slice:
    """Return this process's share of a batch that all processes have drawn identically.

    Raises:
        UserError: the batch does not divide.

    """
    if batch % count():
        below = batch // count() * count()
        fit = " or ".join(str(size) for size in (below, below + count()) if size)
        raise UserError(f"batch = {batch} does not divide among {count()} processes: set {fit}")
    own = batch // count()
    return slice(rank() * own, (rank() + 1) * own)


def averaging(module: nn.Module) -> nn.Module:
    """Return ``module`` with gradients that are averaged over all processes; itself if there is only one.

    All start from the first one's weights. Buffers are not exchanged: batch norm's running statistics are those of
    each process's own share, and the first one's are saved.
    """
    if not _together():
        return module
    # torch 2.13 renamed the argument and warns about the old name.
    new_name = "forward_sync_buffers" in inspect.signature(nn.parallel.DistributedDataParallel).parameters
    name = "forward_sync_buffers" if new_name else "broadcast_buffers"
    return nn.parallel.DistributedDataParallel(module, **{name: False})  # type: ignore[arg-type]


def _all_reduced(values: Tensor) -> Tensor:
    distributed.all_reduce(values)
    return values
