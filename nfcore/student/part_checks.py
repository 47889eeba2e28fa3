"""Checks of a student's parts while they run: an error names the part that caused it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nfcore.interfaces.boundaries import ContractError, calling, check_part
from nfcore.plugin.components import Kind
from nfcore.scene.cameras import Cameras

# Larger weights mean that training has diverged: what a part then returns is not its own fault.
_GREATEST_WEIGHT = 1e4


@contextmanager
def checked_parts(parts: Mapping[Kind, nn.Module]) -> Iterator[list[Tensor]]:
    """Check what each part returns while the context is open; yields the outputs in the order of the calls.

    It runs no part itself and draws no random numbers.

    Raises:
        ContractError: a part breaks a rule.
        PluginError: a part raised an error.

    """
    running: list[nn.Module] = []
    outputs: list[Tensor] = []

    def before(part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        running.append(part)

    def after(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        running.pop()
        check_part(part, inputs, output)
        outputs.append(output)

    hooks = [part.register_forward_pre_hook(before) for part in parts.values()]
    hooks += [part.register_forward_hook(after) for part in parts.values()]
    try:
        yield outputs
    except (Exception, SystemExit) as error:
        if not running:
            raise
        with calling(running[-1], "forward"):
            raise error
    finally:
        for hook in hooks:
            hook.remove()


def first_fault(
    run: Callable[[Cameras], Tensor], parts: Mapping[Kind, nn.Module], cameras: Cameras
) -> ContractError | None:
    """Return the first error of one of ``parts`` while ``run`` renders ``cameras``, or None."""
    try:
        with torch.no_grad(), checked_parts(parts):
            run(cameras)
    except ContractError as fault:
        return fault
    return None


def has_diverged(parts: Mapping[Kind, nn.Module], fault: ContractError) -> bool:
    """Return whether weights up to the faulty part have exploded, for which no part is to blame.

    Args:
        parts: in the order in which they run.
        fault: the error that was found.

    """
    for part in parts.values():
        if any(not bool((weight.abs() <= _GREATEST_WEIGHT).all()) for weight in part.parameters()):
            return True
        if part is fault.component:
            break
    return False
