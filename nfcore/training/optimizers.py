"""Optimisers by name: which of a student's weights each one updates, and at which learning rate."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nfcore.config.schema import TrainingConfig
from nfcore.io.tensors import State
from nfcore.runtime import eager_optimizer
from nfcore.student.light_field import LightField
from nfcore.training.muon import Muon

_BETAS = (0.9, 0.99)
# An encoding's table of features has tiny gradients, since a step touches few of its rows: with the usual 1e-8
# they would hardly change (Müller et al. 2022, section 4, use 1e-15 too).
_ENCODING_EPSILON = 1e-15
_AdamW = eager_optimizer(torch.optim.AdamW)


class StudentOptimizer:
    """AdamW for all weights of a student, or Muon for the matrices of its network and AdamW for the rest.

    Biases, norms and encodings have no weight decay.

    Args:
        student: on its final device and in its final memory format.
        config: ``optimizer``, the learning rates, ``weight_decay``.
        scaler: scales the loss up while gradients are in half precision; disabled otherwise.

    """

    def __init__(self, student: LightField, config: TrainingConfig, scaler: torch.amp.GradScaler) -> None:
        self.scaler = scaler
        encoding = [p for p in student.encoding.parameters() if p.requires_grad]
        network = [
            p for part in (student.backbone, student.upsampler) for p in part.parameters() if p.requires_grad
        ]
        matrices = [p for p in network if p.ndim > 1]
        rate = config.learning_rate
        groups: list[dict[str, Any]] = [
            {"params": [p for p in network if p.ndim <= 1], "lr": rate, "weight_decay": 0.0},
            {
                "params": encoding,
                "lr": config.encoding_learning_rate or rate,
                "weight_decay": 0.0,
                "eps": _ENCODING_EPSILON,
            },
        ]
        self.optimizers: list[torch.optim.Optimizer] = []
        if config.optimizer == "adamw":
            groups.insert(0, {"params": matrices, "lr": rate, "weight_decay": config.weight_decay})
        elif matrices:
            self.optimizers.append(Muon(matrices, rate, config.weight_decay))
        if groups := [group for group in groups if group["params"]]:
            self.optimizers.append(_AdamW(groups, betas=_BETAS, fused=True))
        self.highest = [[group["lr"] for group in optimizer.param_groups] for optimizer in self.optimizers]
        self.updated = [p for o in self.optimizers for group in o.param_groups for p in group["params"]]

    def step(self, loss: Tensor, share: float) -> None:
        """Update the weights by the gradients of ``loss``, at ``share`` of the highest learning rates."""
        for optimizer, rates in zip(self.optimizers, self.highest, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * share
        for weight in self.updated:
            weight.grad = None
        self.scaler.scale(loss).backward()
        for optimizer in self.optimizers:
            self.scaler.step(optimizer)
        self.scaler.update()

    def state(self) -> State:
        """Return the state that the next step depends on, for a checkpoint."""
        return {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, state: State) -> None:
        """Resume from a checkpoint's state."""
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
            # Fused AdamW iterates over memory: its moments need the layout of the weights, channels last.
            for parameter, moments in optimizer.state.items():
                for name, value in moments.items():
                    if value.shape == parameter.shape:
                        moments[name] = torch.empty_like(parameter).copy_(value)
        self.scaler.load_state_dict(state["scaler"])
