"""Torch's optimisers without ``torch.compile``, whose import takes longer than many a short fit."""

from __future__ import annotations

import inspect
from typing import TypeVar

import torch

OptimizerType = TypeVar("OptimizerType", bound=torch.optim.Optimizer)


def eager_optimizer(kind: type[OptimizerType]) -> type[OptimizerType]:
    """Return the same optimiser without the wrappers that import the compiler at its construction: two seconds.

    Torch wraps these methods so that a compiled training step leaves them out. nfcore compiles no such step.

    >>> weight = torch.nn.Parameter(torch.ones(3))
    >>> adam = eager_optimizer(torch.optim.Adam)([weight], lr=0.5, fused=True)
    >>> weight.sum().backward()
    >>> adam.step()
    >>> weight.detach()
    tensor([0.5000, 0.5000, 0.5000])

    Args:
        kind: a class of ``torch.optim``, or one's own; its step must not need gradients of its own arithmetic.

    """
    wrapped = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in wrapped}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods | {"__doc__": kind.__doc__, "__module__": kind.__module__})
