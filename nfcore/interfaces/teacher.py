"""Teachers: radiance fields that are fitted to the photos and render pseudo views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from nfcore.errors import PluginError
from nfcore.interfaces.baked import BakedField
from nfcore.interfaces.budget import Budget
from nfcore.interfaces.ray_source import RaySource
from nfcore.interfaces.reporting import Reporter
from nfcore.options import Options as BaseOptions
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras, Rays

# Rays that are rendered at once: bounds the memory of teachers that don't bound it themselves.
_RAYS_PER_CALL = 1 << 18


@dataclass(frozen=True)
class Rendering:
    """What a teacher renders for rays (n,) or for views (n, height, width): ``...`` stands for either.

    Args:
        rgb: (..., 3) float32 in [0, 1], composited on the scene's background.
        opacity: (...) float32 in [0, 1].
        depth: (...) float32, expected depth of what is opaque, in the rays' ``t``; 0 where nothing is.

    >>> nothing = nfcore.Rendering(rgb=torch.ones(5, 3), opacity=torch.zeros(5), depth=torch.zeros(5))

    """

    rgb: Tensor
    opacity: Tensor
    depth: Tensor


@dataclass(frozen=True)
class Field:
    """Density and features of a volumetric teacher at n points.

    Args:
        density: (n,) float32, 0 or more, absorption per scene unit (NeRF, equation 1).
        features: (n, f) float32 from which its colour is computed, or None if it has none.

    >>> empty = nfcore.Field(density=torch.zeros(5), features=None)

    """

    density: Tensor
    features: Tensor | None


class Teacher(nn.Module, ABC):
    """A radiance field: fitted to posed photos, then rendered along rays or as whole views.

    A teacher overrides ``fit`` and one of ``render`` and ``render_views``. A field that is sampled along rays
    overrides ``render`` and inherits ``render_views``; a rasteriser, which draws whole views, overrides only
    ``render_views``. The core renders all views with ``render_views``: pseudo views, previews, evaluation, depth.

    All that rendering needs is in ``state_dict()``: a teacher is saved to and loaded from safetensors without
    the training data. A teacher whose tensors change shape during ``fit`` overrides ``load_state_dict`` to adopt
    the saved shapes first.

    Args:
        options: an instance of this class's ``Options``.
        scene: the bounds of the scene.

    Raises:
        UserError: from the constructor, for a kind of scene that it does not support.
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
                f"teacher {cls.__name__} renders nothing: override render(rays) or render_views(cameras)"
            )
        self.options = options
        self.scene = scene

    @abstractmethod
    def fit(self, source: RaySource, budget: Budget, reporter: Reporter) -> None:
        """Fit this teacher to the training views of ``source``.

        It uses the ``train`` split only. Random numbers come from a generator seeded with ``budget.seed``, so the
        same seed gives the same weights on CPU. It calls ``reporter.step`` as it proceeds,
        ``reporter.checkpoint`` where its state may be saved, and first ``reporter.restore`` if it can resume from
        such a state.
        """

    def render(self, rays: Rays) -> Rendering:
        """Return colour, opacity and depth along ``rays`` (n, 3), without jitter; no gradients are promised.

        Rays are finite float32 on the teacher's device; their directions have any length, and n may be 0. A ray
        with a ``footprint`` may be averaged over its pixel. Up to rounding, the result for a ray does not depend
        on the other rays of the call. Several threads may call it at once: pseudo views are rendered in the
        background.

        Raises:
            NotImplementedError: this teacher renders whole views only.

        """
        raise NotImplementedError(
            f"{type(self).__name__} renders whole views only: call render_views(cameras), not render(rays)"
        )

    @torch.no_grad()
    def render_views(self, cameras: Cameras) -> Rendering:
        """Return colour, opacity and depth of whole views, seen through ``cameras``.

        By default, renders the rays through the pixels' centres. What holds for ``render`` holds here too.

        Args:
            cameras: n of any size, on the teacher's device; n may be 0.

        Returns:
            On the teacher's device, for all n views: rgb (n, height, width, 3), opacity and depth
            (n, height, width), with depth along the optical axis.

        """
        rays = cameras.rays().flat()
        parts = [self.render(part) for part in rays.split(_RAYS_PER_CALL)]
        shape = (len(cameras), cameras.height, cameras.width)
        return Rendering(
            rgb=torch.cat([part.rgb for part in parts]).reshape(*shape, 3),
            opacity=torch.cat([part.opacity for part in parts]).reshape(shape),
            depth=torch.cat([part.depth for part in parts]).reshape(shape),
        )

    def field(self, points: Tensor) -> Field | None:
        """Return density and features at world points (n, 3), or None from a teacher that is not a volume.

        Encodings copy its geometry from here; where it is None they use ``render_views``. A teacher returns a
        field for all points or for none; no gradients are promised.
        """
        return None

    def baked(self) -> BakedField | None:
        """Return the field as plain data that other programs draw, or None from a teacher that is no such field.

        Drawn as ``nfcore.interfaces.baked`` says, it shows what ``render`` shows. Exporters that write a page or a
        shader start from it.
        """
        return None
