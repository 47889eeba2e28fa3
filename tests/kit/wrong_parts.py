"""What can be wrong with any part of a student, and with backbones and upsamplers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def exporting() -> bool:
    return torch.compiler.is_exporting()


def wrong_parts(right: type) -> dict[str, type]:
    """For each rule of the parts of a student, a class like ``right`` that breaks it."""

    class OwnSeed(right):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            self.unused = nn.Parameter(torch.from_numpy(np.random.default_rng().random(3)).float())

    class Remembers(right):
        last = None

        def forward(self, *inputs: Tensor) -> Tensor:
            output = super().forward(*inputs)
            if exporting() or self.training or inputs[0].is_meta or inputs[0].dtype != torch.float32:
                return output
            again = self.last is not None and torch.equal(self.last, inputs[0])
            self.last = inputs[0].clone()
            return 0.9 * output if again else output

    class DrawsInEval(right):
        def forward(self, *inputs: Tensor) -> Tensor:
            if not exporting():
                torch.rand(1)
            return super().forward(*inputs)

    class BatchStatistics(right):
        def forward(self, *inputs: Tensor) -> Tensor:
            output = super().forward(*inputs)
            return output * output.mean().sigmoid() if len(output) > 2 else output

    class NotSaved(right):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            self.register_buffer("factor", torch.rand(()), persistent=False)

        def forward(self, *inputs: Tensor) -> Tensor:
            return self.factor * super().forward(*inputs)

    class NotMoved(right):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            self.shift = torch.zeros(1, 1, 1, 1, dtype=torch.int64)

        def forward(self, *inputs: Tensor) -> Tensor:
            return super().forward(*inputs) + self.shift

    class OtherGraph(right):
        def forward(self, *inputs: Tensor) -> Tensor:
            output = super().forward(*inputs)
            return 0.5 * output if exporting() else output

    class RankSix(right):
        def forward(self, *inputs: Tensor) -> Tensor:
            output = super().forward(*inputs)
            return (output[:, None, None] * 1.0).flatten(0, 2)

    return {
        "part.seed": OwnSeed,
        "part.repeatable": Remembers,
        "part.random-state": DrawsInEval,
        "part.batch-independent": BatchStatistics,
        "part.saved": NotSaved,
        "part.device": NotMoved,
        "part.traceable": OtherGraph,
        "part.rank": RankSix,
    }


def wrong_networks(right: type, kind: str = "backbone") -> dict[str, type]:
    """For each rule of backbones and upsamplers, a class like ``right`` that breaks it."""

    class Detached(right):
        def forward(self, features: Tensor) -> Tensor:
            output = super().forward(features)
            return (output + output.detach()) / 2

    class Overflows(right):
        def forward(self, features: Tensor) -> Tensor:
            return super().forward(features + 0 * features.exp())

    class AlwaysSingle(right):
        def forward(self, features: Tensor) -> Tensor:
            output = super().forward(features)
            return output.float() if output.dtype == torch.float16 else output

    class SharedLayer(right):
        def __init__(self, options, in_channels: int, *scale: int) -> None:
            super().__init__(options, in_channels, *scale)
            self.normed = nn.Sequential(nn.Conv2d(in_channels, in_channels, 1), nn.BatchNorm2d(in_channels))

        def forward(self, features: Tensor) -> Tensor:
            return super().forward(features + self.normed(features) + self.normed[0](features))

    class FixedInput(right):
        def __init__(self, options, in_channels: int, *scale: int) -> None:
            super().__init__(options, in_channels, *scale)
            self.in_channels = 72 if not scale else 16

    class CutsOddGrids(right):
        def forward(self, features: Tensor) -> Tensor:
            output = super().forward(features)
            return output[..., :-1] if features.shape[-1] == 5 else output

    return {
        "network.gradients": Detached,
        f"{kind}.finite": Overflows,
        "network.half": AlwaysSingle,
        "network.norm-folding": SharedLayer,
        f"{kind}.in-channels": FixedInput,
        f"{kind}.shape": CutsOddGrids,
    }
