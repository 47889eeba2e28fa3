"""Torch modules from saved weights; what does not fit is a line that names the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from nfcore.errors import PluginError, UserError

Module = TypeVar("Module", bound=nn.Module)


def module_with_weights(
    path: Path, build: Callable[[], Module], weights: Mapping[str, Tensor], name: str
) -> Module:
    """Return the module that ``build`` returns, with ``weights`` loaded, in eval mode.

    Args:
        path: the file that they are from, for errors.
        build: builds the module that the file describes.
        weights: its ``state_dict``.
        name: the name, in errors, of what the weights must fit.

    Raises:
        UserError: the module can't be built, or the weights do not fit it.
        PluginError: one of its components is not installed.

    """
    try:
        module = build()
    except PluginError:
        raise
    except (UserError, RuntimeError, TypeError, ValueError) as error:  # such as a negative or enormous size
        raise UserError(f"{path}: can't be built as it says: {str(error).partition(chr(10))[0]}") from error
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path}: its weights do not fit {name}: {str(error).splitlines()[-1].strip()}") from None
    return module.eval()
