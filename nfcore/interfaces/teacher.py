"""Teachers: radiance fields that are fitted to the photos and render pseudo views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from nfcore.interfaces.budget import Budget
from nfcore.interfaces.ray_source import RaySource
from nfcore.interfaces.reporting import Reporter
from nfcore.options import Options as BaseOptions
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Rays


@dataclass(frozen=True)
class Rendering:
    """What a teacher sees along n rays.

    Args:
        rgb: (n, 3) float32 in [0, 1], composited on the scene's background.
        opacity: (n,) float32 in [0, 1].
        depth: (n,) float32, expected depth of what is opaque, in the rays' ``t``; 0 where nothing is.

    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor


@dataclass(frozen=True)
class Field:
    """What a teacher that is a volume holds at n points.

    Args:
        density: (n,) float32, 0 or more, absorption per scene unit (NeRF, equation 1).
        features: (n, f) float32 from which its colour is computed, or None where it has none to give.

    """

    density: Tensor
    features: Tensor | None


class Teacher(nn.Module, ABC):
    """A radiance field: fitted to posed photos, then asked for any ray.

    All that ``render`` needs is in ``state_dict()``: a teacher is saved to and loaded from safetensors without
    the training data. One whose tensors change shape while it is fitted overrides ``load_state_dict`` to take
    their shapes first.

    Args:
        options: an instance of this class's ``Options``.
        scene: the bounds of the scene.

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions

    def __init__(self, options: BaseOptions, scene: Scene) -> None:
        super().__init__()
        self.options = options
        self.scene = scene

    @abstractmethod
    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit this teacher to the training views of ``source``.

        Uses the ``train`` split only. Random numbers come from a generator seeded with ``budget.seed``, so the
        same seed gives the same weights on CPU. Calls ``reporter.step`` as it goes, ``reporter.checkpoint`` where
        its state may be saved, and begins with ``reporter.restore`` if it can go on from such a state.
        """

    @abstractmethod
    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3), without jitter; no gradients are promised.

        The result for a ray does not depend on the other rays of the call beyond rounding.
        Several threads may call it at once: pseudo views are rendered in the background.
        """

    def field(self, points: Tensor) -> Field | None:
        """Return density and features at world points (n, 3), or None from a teacher that is no volume.

        Encodings take geometry over from here; where it is None they look through ``render``. A teacher answers
        the same way for all points; no gradients are promised.
        """
        return None
