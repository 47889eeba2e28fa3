"""For each standard test of encodings, one that fails it and no other."""

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
    "test_it_gives_each_ray_its_channels": CutsOddGrids,
    "test_its_features_are_float32": Double,
    "test_its_features_are_finite_for_any_ray": DividesByDirections,
    "test_in_training_its_jitter_follows_torchs_seed": NumpyJitter,
    "test_gradients_of_its_weights_agree_with_finite_differences": Detached,
    "test_once_prepared_it_lets_go_of_the_teacher": KeepsTeacher,
    "test_preparing_it_again_gives_the_same": AddsUp,
    "test_it_takes_a_forward_facing_scene_or_refuses_it": NoHorizon,
    "test_deployed_it_gives_the_same_features": DeploysAnother,
    "test_its_halves_if_it_has_any_give_the_same_features": HalvesOfAnother,
}
KIT, RIGHT = EncodingConformance, right.Encoding
