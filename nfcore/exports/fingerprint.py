"""What a module computes, as a key: equal keys mean equal conversions within one process."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Mapping
from enum import Enum
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_PLAIN = (bool, int, float, complex, str, bytes, Enum, np.generic, type(None), torch.dtype, torch.device)


def fingerprint(module: nn.Module) -> Hashable | None:
    """Return a key of ``module``: its classes, tensors and attributes, and those of all that it holds.

    None if it holds anything whose content is not known, such as a hook or a function. Classes are compared by
    identity, so that the key is good for one process only.

    >>> fingerprint(nn.Flatten()) == fingerprint(nn.Flatten())
    True
    >>> fingerprint(nn.Flatten(1)) == fingerprint(nn.Flatten(2))
    False

    """
    digest, classes = hashlib.sha256(), []
    try:
        for part in _parts(module, ()):
            if isinstance(part, type):
                classes.append(part)
            digest.update(repr(part).encode() + b";")
    except TypeError:
        return None
    return digest.hexdigest(), tuple(classes)


def _parts(value: Any, around: tuple[int, ...]) -> Iterator[object]:
    """Yield all that ``value`` consists of, depth first; ``around`` are the objects that hold it."""
    if id(value) in around:
        raise TypeError("it holds itself")
    inside = (*around, id(value))
    yield type(value)
    if isinstance(value, Tensor):
        yield value.dtype, tuple(value.shape)
        yield hashlib.sha256(
            value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
        ).digest()
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield value.dtype, value.shape
        yield hashlib.sha256(value.tobytes()).digest()
    elif isinstance(value, ModuleType):
        yield value.__name__
    elif isinstance(value, _PLAIN):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item, inside)
    elif isinstance(value, set | frozenset):
        yield from sorted(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _parts(item, inside)
    elif (hasattr(value, "__dict__") and not callable(value)) or isinstance(value, nn.Module):
        yield from _parts(vars(value), inside)
    else:
        raise TypeError(f"{type(value).__name__}: its content is not known")
