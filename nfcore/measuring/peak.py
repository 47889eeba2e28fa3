"""Peak arithmetic of the machine: the rate of a large matrix product, an upper bound for any network."""

from __future__ import annotations

from collections.abc import Callable

import torch

from nfcore.runtime.threads import limited_threads

#: Side of the square matrices: half a second on one slow core, and large enough for the rate to saturate.
_SIDE = 2048

#: Floating-point operations of one product.
FLOATING_POINT_OPERATIONS = 2 * _SIDE**3


def matrix_product(threads: int) -> Callable[[], object]:
    """Return a function that computes one float32 matrix product on ``threads`` CPU threads, to be timed.

    Its median over the same rounds is the machine's peak under its present load: torch calls the tuned kernels
    (MKL, OpenBLAS, Accelerate) that vendors measure their published peaks with.
    """
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(_SIDE, _SIDE, generator=generator) for _ in range(2))
    product = torch.empty(_SIDE, _SIDE)

    def multiply() -> object:
        with limited_threads(threads):
            return torch.mm(left, right, out=product)

    return multiply
