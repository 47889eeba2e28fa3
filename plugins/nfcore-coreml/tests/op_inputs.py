"""What the cases of the evaluator's ops share: the builder of coremltools, and constants next to the inputs."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from nfcore_coreml.toolchain import quiet

with quiet():
    from coremltools.converters.mil import Builder as mb  # noqa: F401, N813 - its name everywhere in coremltools

#: The op, how coremltools' builder makes it, and what it is in torch. ``x`` and ``y`` are normal, of ``SHAPE``.
Case: TypeAlias = tuple[str, Callable[..., Any], Callable[[Tensor, Tensor], Tensor]]

SHAPE = (2, 8, 4, 6)

WEIGHT = torch.randn(8, 4, 3, 3, generator=torch.Generator().manual_seed(2))
BIAS = torch.randn(8, generator=torch.Generator().manual_seed(3))
MATRIX = torch.randn(5, 6, generator=torch.Generator().manual_seed(4))
ROWS = torch.randn(4, 6, generator=torch.Generator().manual_seed(5))
#: Of places along the last axis of ``SHAPE``, some of them counted from its end.
ORDER = torch.randint(-6, 6, (2, 8, 4, 3), generator=torch.Generator().manual_seed(6))
