"""What the machine can do at most: the rate of one large matrix product, the roof of every network's speed."""

from __future__ import annotations

from collections.abc import Callable

import torch

from nfcore.runtime.threads import limited_threads

#: Side of the square matrices. Half a second of one slow core, and large enough that the rate rises no further.
_SIDE = 2048

#: Floating-point operations of one product.
FLOATING_POINT_OPERATIONS = 2 * _SIDE**3


def matrix_product(threads: int) -> Callable[[], object]:
    """Return one float32 matrix product on ``threads`` CPU threads, to be timed next to what it limits.

    Its median over the same rounds is the machine's peak as far as other work on it left any: torch hands it to
    the same kind of tuned kernel (MKL, OpenBLAS, Accelerate) that vendors publish their peaks with.
    """
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(_SIDE, _SIDE, generator=generator) for _ in range(2))
    product = torch.empty(_SIDE, _SIDE)

    def multiply() -> object:
        with limited_threads(threads):
            return torch.mm(left, right, out=product)

    return multiply
