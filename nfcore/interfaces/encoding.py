"""Ray encodings: what the student knows of each ray."""

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
    """What an exporter's target can do that an encoding may have to know.

    Args:
        volumes: it samples volumes: ``torch.nn.functional.grid_sample`` on five-dimensional tensors.
        half: tables that are looked up shall be kept in float16, to save space; what is computed from them is
            float32 as ever.

    """

    volumes: bool = True
    half: bool = False


class RayEncoding(nn.Module, ABC):
    """Rays of a grid to features of the same grid.

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
        """Take what is needed from the fitted teacher, once, before distillation. By default, nothing.

        A teacher that is a volume can be asked for its ``field``; any teacher can be looked through ``cameras``,
        novel ones of the photos' size that the ray source drew.

        Afterwards the encoding needs neither: all that it took is in ``state_dict()``. One whose tensors take
        their shape here overrides ``load_state_dict`` to take their shapes first.
        """

    @abstractmethod
    def forward(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Return features (b, c, h, w) float32 of rays given by two (b, 3, h, w) float32 tensors, scene units.

        Directions have z = -1 in camera space: ``t`` is depth. Gradients flow to the encoding's own weights.
        """

    def deployed(self, target: Target) -> nn.Module:
        """Return a module that computes the same features in eval mode by what ``target`` can do.

        Exporters convert this module, by default a copy of the encoding. An encoding that trains with operations
        that not all targets have, such as look-ups in volumes, overrides it; the encoding itself stays as it is.
        """
        return copy.deepcopy(self)

    def halves(self) -> tuple[nn.Module, nn.Module] | None:
        """Return the encoding as points and their embedding, or None, the default: it is not made of these two.

        The first module takes origins and directions as ``forward`` does and gives d coordinates per ray,
        (b, d, h, w); the second takes coordinates (b, 1, p, q) of any p and q and gives m features of each on its
        own, (b, m, p, q). Channel i * m + j of what ``forward`` gives in eval mode is feature j of coordinate i.
        Both may share the encoding's tensors. For targets that run the two apart, as SnapML's lenses do.
        """
        return None
