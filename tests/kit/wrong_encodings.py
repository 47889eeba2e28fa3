"""For each rule of encodings, one that breaks it and no other."""

from __future__ import annotations

import numpy as np
import right
import torch
from torch import Tensor, nn
from wrong_options import wrong_options
from wrong_parts import wrong_parts

from nfcore.testing import EncodingConformance


class CutsOddGrids(right.Encoding):
    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        features = super().forward(origins, directions)
        return features[..., :-1] if features.shape[-1] == 5 else features


class Double(right.Encoding):
    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        features = super().forward(origins, directions)
        return features.double() if len(features) == 2 else features


class DividesByDirections(right.Encoding):
    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        return super().forward(origins, directions) + (0 / directions).sum(1, keepdim=True)


class NumpyJitter(right.Encoding):
    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        features = super().forward(origins, directions)
        return features + np.random.rand() if self.training else features


class Detached(right.Encoding):
    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        features = super().forward(origins, directions)
        return (features + features.detach()) / 2


class KeepsTeacher(right.Encoding):
    def prepare(self, teacher, scene, cameras) -> None:
        super().prepare(teacher, scene, cameras)
        self.source = [teacher]


class AddsUp(right.Encoding):
    def prepare(self, teacher, scene, cameras) -> None:
        before = self.brightness.clone()
        super().prepare(teacher, scene, cameras)
        self.brightness += before


class NoHorizon(right.Encoding):
    def __init__(self, options, scene) -> None:
        super().__init__(options, scene)
        if scene.forward_facing:
            self.depths.fill_(torch.inf)


class DeploysAnother(right.Encoding):
    def deployed(self, target):
        if target.volumes:
            return super().deployed(target)
        brighter = super().deployed(target)
        brighter.brightness += 0.1
        return brighter


class Brighter(nn.Module):
    def __init__(self, encoding: right.Encoding) -> None:
        super().__init__()
        self.encoding = encoding

    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        return self.encoding(origins, directions) + 0.1


class HalvesOfAnother(right.Encoding):
    def halves(self):
        return Brighter(self), nn.Identity()


WRONG = {
    **wrong_options(right.Encoding),
    **wrong_parts(right.Encoding),
    "encoding.shape": CutsOddGrids,
    "encoding.dtype": Double,
    "encoding.finite": DividesByDirections,
    "encoding.jitter": NumpyJitter,
    "encoding.gradients": Detached,
    "encoding.self-contained": KeepsTeacher,
    "encoding.prepare-seed": AddsUp,
    "component.scene-refused": NoHorizon,
    "encoding.deployed": DeploysAnother,
    "encoding.halves": HalvesOfAnother,
}
KIT, RIGHT = EncodingConformance, right.Encoding
