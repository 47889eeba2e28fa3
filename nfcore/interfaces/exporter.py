"""Exporters: a student or a teacher to files for one target, and a way to run those files here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, Literal, TypeVar

from torch import Tensor

from nfcore.interfaces.exportable import Exportable
from nfcore.interfaces.exported import Exported
from nfcore.options import Options as BaseOptions

#: What an exporter can be made for.
Takes = Literal["student", "teacher"]

Model = TypeVar("Model", bound=Exportable)


class VerificationUnavailable(Exception):  # noqa: N818 - it is an answer, not an error
    """What was exported can't be run on this platform; the text says why."""


@dataclass(frozen=True)
class Runner:
    """Exported files, loaded and ready to run.

    Args:
        verified_by: what runs them, for reports: a runtime with its version, or an evaluator and its limits.
        render: poses (b, 3, 4) and intrinsics (b, 4) in pixels of the full image, to RGB (b, 3, H, W) float32.
        timed: whether its time means something. False where it stands in for what the files are for: an emulator,
            or a desktop's runtime for a browser's.

    """

    verified_by: str
    render: Callable[[Tensor, Tensor], Tensor]
    timed: bool = True


@dataclass(frozen=True)
class Tolerance:
    """How far exported files may be from torch; an export that is farther has failed.

    Args:
        psnr: least PSNR over all compared images, dB.
        max_error: greatest absolute difference of a colour value in [0, 1].

    """

    psnr: float = 0.0
    max_error: float = 1.0


class Exporter(ABC, Generic[Model]):
    """Writes a model for one target. The core runs the files and compares them with torch.

    Most exporters take a student: ``class ONNX(nfcore.Exporter[nfcore.LightField])``. One that bakes the teacher
    (SNeRG, MobileNeRF, a mesh) is an ``nfcore.Exporter[nfcore.FittedTeacher]`` with ``takes = "teacher"``.

    Args:
        options: an instance of this class's ``Options``.

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions

    #: What ``export`` is given: the run's student, an ``nfcore.LightField``, or its teacher, an
    #: ``nfcore.FittedTeacher``.
    takes: ClassVar[Takes] = "student"

    #: Bits per weight that an option ``bits`` takes for single layers, by their names in the student, such as
    #: ``{"backbone.layers.3": 4}``. Empty: there is no such option. Only for exporters that take a student.
    bits: ClassVar[tuple[int, ...]] = ()

    def __init__(self, options: BaseOptions) -> None:
        self.options = options

    @property
    @abstractmethod
    def tolerance(self) -> Tolerance:
        """How far these files may be from torch, at the precision that the options ask for."""

    @abstractmethod
    def export(self, model: Model, folder: Path, /) -> Exported:
        """Write the files for ``model`` into the empty ``folder`` and say what they are.

        Needs no data set, and for a student no teacher. The files take a pose and intrinsics and return RGB; ray
        arithmetic is float32 in any precision. The core writes ``manifest.json``, ``README.md`` and
        ``picture.png`` next to them.
        """

    @abstractmethod
    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load what ``export`` wrote, from the files alone.

        Args:
            folder: what ``export`` wrote; it may hold other files too.
            threads: of the CPU to run with, where it runs on one; None leaves it to the runtime.

        Raises:
            VerificationUnavailable: this platform can't run the target's files; says why.

        """

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Return option sets that differ in size and in what they lose, the most exact first.

        ``nfcore shrink`` chooses from them.
        """
        return ({},)

    def rounded(self, weight: Tensor, bits: int) -> Tensor:
        """Return what the target's compression to ``bits`` per weight makes of a layer's ``weight``.

        Only asked for where ``bits`` of the class are not empty.
        """
        raise NotImplementedError(f"{type(self).__name__} compresses no single layers")
