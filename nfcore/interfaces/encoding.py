"""Ray encodings: the features that a student computes from each ray."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from nfcore.interfaces.teacher import Teacher
from nfcore.options import Options as BaseOptions
from nfcore.scene.bounds import Scene
from nfcore.scene.cameras import Cameras


@dataclass(frozen=True)
class Target:
    """What an exporter's target supports, for encodings that depend on it.

    Args:
        volumes: it samples volumes: ``torch.nn.functional.grid_sample`` on five-dimensional tensors.
        half: look-up tables are to be stored in float16, to save space; arithmetic stays float32.

    >>> nfcore.Target(volumes=False)
    Target(volumes=False, half=False)

    """

    volumes: bool = True
    half: bool = False


class RayEncoding(nn.Module, ABC):
    """Maps a grid of rays to features on the same grid.

    Runs in float32 whatever precision the network has. In training mode it may add jitter from torch's default
    generator, which the run seeds; in eval mode it is a function of its input. To be exportable it uses plain
    tensor operations without data-dependent control flow, on tensors of rank five or less.

    Args:
        options: an instance of this class's ``Options``.
        scene: the bounds of the scene.

    Attributes:
        channels: number of features c per ray.

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions
    channels: int

    def __init__(self, options: BaseOptions, scene: Scene) -> None:
        super().__init__()
        self.options = options
        self.scene = scene

    def prepare(self, teacher: Teacher, scene: Scene, cameras: Cameras) -> None:
        """Copy what the encoding needs from the fitted teacher, once, before distillation; by default, nothing.

        A volumetric teacher has a ``field``; any teacher renders ``cameras``, novel ones of the photos' size that
        the ray source has sampled. Random numbers may be drawn from torch's default generator: the run seeds it.

        Afterwards the encoding needs neither: what it copied is in ``state_dict()``. An encoding whose tensors get
        their shape here overrides ``load_state_dict`` to adopt the saved shapes first.
        """

    @abstractmethod
    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return features (b, c, h, w) float32 of rays given by two (b, 3, h, w) float32 tensors, scene units.

        Directions have z = -1 in camera space: ``t`` is depth. Gradients flow to the encoding's own weights.
        """

    def deployed(self, target: Target) -> nn.Module:
        """Return a module that computes the same features in eval mode with what ``target`` supports.

        Exporters convert this module, by default a copy of the encoding. An encoding that trains with operations
        that not all targets have, such as sampling volumes, overrides it; the encoding itself is not changed.
        """
        return copy.deepcopy(self)

    def halves(self) -> tuple[nn.Module, nn.Module] | None:
        """Return the encoding as points and their embedding, or None, the default, if it has no such form.

        The first module takes origins and directions as ``forward`` does and returns d coordinates per ray,
        (b, d, h, w); the second takes coordinates (b, 1, p, q) of any p and q and returns m features of each one,
        (b, m, p, q). Channel i * m + j of what ``forward`` returns in eval mode is feature j of coordinate i.
        Both may share the encoding's tensors. For targets that run the two separately, as SnapML's lenses do.
        """
        return None
