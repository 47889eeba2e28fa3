"""Teachers: radiance fields that are fitted to the photos and render pseudo views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nfcore.errors import PluginError
from nfcore.interfaces.budget import Budget
from nfcore.interfaces.ray_source import RaySource
from nfcore.interfaces.reporting import Reporter
from nfcore.options import Options as BaseOptions
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, Rays

# Rays that a view is rendered by at once: bounds the memory of teachers that don't do so themselves.
_RAYS_PER_CALL = 1 << 18


@dataclass(frozen=True)
class Rendering:
    """What a teacher sees along rays (n,), or in views (n, height, width): ``...`` stands for either.

    Args:
        rgb: (..., 3) float32 in [0, 1], composited on the scene's background.
        opacity: (...) float32 in [0, 1].
        depth: (...) float32, expected depth of what is opaque, in the rays' ``t``; 0 where nothing is.

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
    """A radiance field: fitted to posed photos, then asked for rays or for whole views.

    A teacher overrides ``fit`` and one of ``render`` and ``render_views``: a field that is sampled along rays the
    first, and gets the second for nothing; a rasteriser, which draws whole views, the second alone. The core looks
    through ``render_views`` at everything that is a view: pseudo views, previews, evaluation, depth.

    All that rendering needs is in ``state_dict()``: a teacher is saved to and loaded from safetensors without
    the training data. One whose tensors change shape while it is fitted overrides ``load_state_dict`` to take
    their shapes first.

    Args:
        options: an instance of this class's ``Options``.
        scene: the bounds of the scene.

    Raises:
        UserError: from the constructor, for a scene of a kind that it can't take.
        PluginError: from the constructor, if it overrides neither ``render`` nor ``render_views``.

    Example:
        A teacher that shows the photos' mean colour everywhere::

            class MeanColour(nfcore.Teacher):
                def __init__(self, options, scene):
                    super().__init__(options, scene)
                    self.colour = nn.Parameter(torch.zeros(3))

                def fit(self, source, budget, reporter):
                    photos = source.views("train").images
                    self.colour.data = torch.stack([photo.mean((0, 1)) for photo in photos]).mean(0)

                def render(self, rays):
                    n = len(rays)
                    opaque = torch.ones(n)
                    return nfcore.Rendering(self.colour.expand(n, 3), opaque, self.scene.near * opaque)

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions

    def __init__(self, options: BaseOptions, scene: Scene) -> None:
        super().__init__()
        cls = type(self)
        if cls.render is Teacher.render and cls.render_views is Teacher.render_views:
            raise PluginError(
                f"teacher {cls.__name__} draws nothing: override render(rays) or render_views(cameras)"
            )
        self.options = options
        self.scene = scene

    @abstractmethod
    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit this teacher to the training views of ``source``.

        Uses the ``train`` split only. Random numbers come from a generator seeded with ``budget.seed``, so the
        same seed gives the same weights on CPU. Calls ``reporter.step`` as it goes, ``reporter.checkpoint`` where
        its state may be saved, and begins with ``reporter.restore`` if it can go on from such a state.
        """

    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3), without jitter; no gradients are promised.

        Rays are finite float32 on the teacher's device; their directions have any length, and n may be 0. One that
        knows its ``footprint`` may be averaged over its pixel. The result for a ray does not depend on the other
        rays of the call beyond rounding. Several threads may call it at once: pseudo views are rendered in the
        background.

        Raises:
            NotImplementedError: this teacher draws whole views only.

        """
        raise NotImplementedError(
            f"{type(self).__name__} draws whole views: render_views(cameras), not render(rays)"
        )

    @torch.no_grad()
    def render_views(self, cameras: Cameras) -> Rendering:
        """Return colour, opacity and depth of whole views, as they are seen through ``cameras``.

        By default the rays through the pixels' centres are rendered. What holds for ``render`` holds here too.

        Args:
            cameras: n of any size, on the teacher's device; n may be 0.

        Returns:
            On the teacher's device, for all n views: rgb (n, height, width, 3), opacity and depth
            (n, height, width), with depth along the optical axis.

        """
        rays = cameras.rays().flat()
        parts = [self.render(part) for part in rays.split(_RAYS_PER_CALL)] or [self.render(rays)]
        shape = (len(cameras), cameras.height, cameras.width)
        return Rendering(
            rgb=torch.cat([part.rgb for part in parts]).reshape(*shape, 3),
            opacity=torch.cat([part.opacity for part in parts]).reshape(shape),
            depth=torch.cat([part.depth for part in parts]).reshape(shape),
        )

    def field(self, points: Tensor) -> Field | None:
        """Return density and features at world points (n, 3), or None from a teacher that is no volume.

        Encodings copy its geometry from here; where it is None they look through ``render_views``. A teacher
        answers the same way for all points; no gradients are promised.
        """
        return None
