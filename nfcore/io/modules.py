"""Torch modules from saved weights; what does not fit is an error of one line that names the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registration
from torch.utils._python_dispatch import TorchDispatchMode

from nfcore.errors import PluginError, UserError

Module = TypeVar("Module", bound=nn.Module)

# What a module may take for each byte of its weights, for each of its tensors, and in any case.
_BYTES_PER_BYTE, _BYTES = 32, 256 << 20
_MODULES_PER_TENSOR, _MODULES = 16, 256
# What code raises that was not written for such options or weights.
_CODE_ERRORS = (RuntimeError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, MemoryError)


def module_with_weights(
    path: Path, build: Callable[[], Module], weights: Mapping[str, Tensor], name: str
) -> Module:
    """Return the module that ``build`` returns, with ``weights`` loaded, in eval mode.

    Building and loading may take as much memory and as many layers as the weights justify, whatever the options
    in the file say.

    Args:
        path: the file that they are from, for errors.
        build: builds the module that the file describes.
        weights: its ``state_dict``.
        name: the name, in errors, of what the weights must fit.

    Raises:
        UserError: the module can't be built, or the weights do not fit it.
        PluginError: one of its components is not installed.

    """
    with _bounded(weights):
        try:
            module = build()
        except PluginError:
            raise
        except (UserError, *_CODE_ERRORS) as error:  # such as a negative or enormous size
            raise UserError(f"{path}: can't be built as it says: {_first_line(error)}") from error
        try:
            check_dtypes(weights, {key: value.dtype for key, value in module.state_dict().items()})
            module.load_state_dict(weights)
        except (UserError, *_CODE_ERRORS) as error:
            raise UserError(f"{path}: its weights do not fit {name}: {_last_line(error)}") from None
    for key, weight in module.named_parameters():
        if not bool(weight.isfinite().all()):
            raise UserError(f"{path}: damaged: {key} has values that are not finite")
    return module.eval()


def check_dtypes(tensors: Mapping[str, Tensor], expected: Mapping[str, torch.dtype]) -> None:
    """Raise a UserError if one of ``tensors`` has another dtype than is ``expected`` of its name."""
    for name, tensor in tensors.items():
        if tensor.dtype is not expected.get(name, tensor.dtype):
            raise UserError(f"{name} is {tensor.dtype}, not {expected[name]}".replace("torch.", ""))


@contextmanager
def _bounded(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Refuse tensors that are larger than ``weights`` justify, and modules that are more than that."""
    size = sum(weight.numel() * weight.element_size() for weight in weights.values())
    limit = _BYTES + _BYTES_PER_BYTE * size
    modules = _MODULES + _MODULES_PER_TENSOR * len(weights)
    registered = made = 0

    def register(_: nn.Module, name: str, tensor: Tensor | None) -> None:
        nonlocal registered
        registered += 0 if tensor is None else tensor.numel() * tensor.element_size()
        _check(registered, limit)

    def count(*_: object) -> None:
        nonlocal made
        made += 1
        if made > modules:
            raise UserError(f"it needs more than {modules} layers for {len(weights)} saved tensors")

    with ExitStack() as stack:
        for handle in (
            registration.register_module_parameter_registration_hook(register),
            registration.register_module_buffer_registration_hook(register),
            registration.register_module_module_registration_hook(count),
        ):
            stack.callback(handle.remove)
        stack.enter_context(_Sized(limit))
        yield


class _Sized(TorchDispatchMode):
    """Refuses tensors of more than ``limit`` bytes; those that are made from nothing, before they are made."""

    def __init__(self, limit: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.limit = limit

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: to tell torch's compiler to stay away would import it, which takes two seconds."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if "device" in kwargs and not any(isinstance(value, Tensor) for value in args):
            _check(
                _size(func(*args, **kwargs | {"device": torch.device("meta"), "pin_memory": False})), self.limit
            )
        made = func(*args, **kwargs)
        _check(_size(made), self.limit)
        return made


def _size(value: Any) -> int:
    return value.untyped_storage().nbytes() if isinstance(value, Tensor) else 0


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise UserError(f"it needs {size >> 20} MiB or more, and its weights justify {limit >> 20} MiB at most")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _last_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[-1].strip()
