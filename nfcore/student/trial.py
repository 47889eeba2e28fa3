"""A trial of a student on a few rays before its teacher is fitted: a faulty part is named early."""

from __future__ import annotations

import copy

import torch
from torch import nn

from nfcore.interfaces.boundaries import ContractError, calling
from nfcore.scene.cameras import Cameras
from nfcore.student.light_field import LightField
from nfcore.student.part_checks import checked_parts

# Rays of the trial: few, so that it takes no time, and not square, so that rows and columns can't be swapped.
_ROWS, _COLUMNS = 3, 4


def try_student(student: LightField) -> None:
    """Run all parts of a copy of ``student`` on a few rays: forward and backward, in training and in eval mode.

    The student and the global random state do not change.

    Raises:
        ContractError: a part breaks a rule on its output, its gradients, or repeatability in eval mode.
        PluginError: a part raised an error.

    """
    trial, cameras = copy.deepcopy(student).cpu(), student.cameras[:2].to("cpu")
    height, width = min(cameras.height, _ROWS * student.scale), min(cameras.width, _COLUMNS * student.scale)
    top, left = torch.full((2, len(cameras)), 0.5) * torch.tensor(
        [[cameras.height - height], [cameras.width - width]]
    )
    cameras = cameras.cropped(top, left, height, width)
    with torch.random.fork_rng(devices=[]):
        _try_gradients(trial.train(), cameras)
        _try_repeatable(trial.eval(), cameras)


def _try_gradients(student: LightField, cameras: Cameras) -> None:
    parts = list(student.parts.values())
    with checked_parts(student.parts) as outputs:
        image = student(cameras)
    if not any(weight.requires_grad for weight in student.parameters()):
        return
    if not image.requires_grad:
        part = next(
            p for p, output in zip(parts, outputs, strict=True) if not output.requires_grad and _is_trained(p)
        )
        raise ContractError(part, "network.gradients", "no gradient flows through what it returns")
    for output in outputs[:-1]:
        if output.requires_grad:
            output.retain_grad()
    with calling(student.upsampler, "backward"):
        (image.float() - 0.5).square().mean().backward()
    # From the last part to the first: a gradient that is not finite spreads to all parts before it.
    for part, received in reversed(list(zip(parts, [None, *outputs[:-1]], strict=True))):
        gradients = [weight.grad for weight in part.parameters()]
        gradients.append(None if received is None else received.grad)
        if not all(bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None):
            rule = "encoding.gradients" if part is student.encoding else "network.gradients"
            raise ContractError(part, rule, "a gradient is NaN or infinite")


def _is_trained(part: nn.Module) -> bool:
    return any(weight.requires_grad for weight in part.parameters())


@torch.no_grad()
def _try_repeatable(student: LightField, cameras: Cameras) -> None:
    with checked_parts(student.parts) as outputs:
        student(cameras)
        student(cameras)
    parts = list(student.parts.values())
    for part, first, second in zip(parts, outputs[:3], outputs[3:], strict=True):
        if not torch.equal(first, second):
            difference = float((first - second).abs().max())
            raise ContractError(part, "part.repeatable", f"two calls differ by up to {difference:.2g}")
