"""Exporters: write a student or a teacher as files for one target, and run those files here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from torch import Tensor

from nfcore.interfaces.exported import Exported
from nfcore.interfaces.scene_model import SceneModel
from nfcore.interfaces.scene_model import Takes as Takes
from nfcore.options import Options as BaseOptions

Model = TypeVar("Model", bound=SceneModel)


class VerificationUnavailable(Exception):  # noqa: N818 - it is an answer, not an error
    """The exported files can't be run on this platform; the message says why."""


@dataclass(frozen=True)
class Runner:
    """Exported files, loaded and ready to run.

    Args:
        verified_by: what runs them, for reports: a runtime with its version, or an evaluator and its limits.
        render: poses (b, 3, 4) and intrinsics (b, 4) in pixels of the full image, to RGB (b, 3, H, W) float32.
        timed: whether timing it is meaningful. False for a stand-in of the target: an emulator, or a desktop
            runtime for a browser's.

    """

    verified_by: str
    render: Callable[[Tensor, Tensor], Tensor]
    timed: bool = True


@dataclass(frozen=True)
class Tolerance:
    """How far the output of exported files may be from torch; beyond that, the export has failed.

    Args:
        psnr: least PSNR over all compared images, dB.
        max_error: greatest absolute difference of a colour value in [0, 1].
        typical_error: greatest difference but for one in 10,000 of an image's values. For models that amplify
            rounding at a few pixels, where ``max_error`` would say nothing of the others.

    >>> nfcore.Tolerance(psnr=40.0)
    Tolerance(psnr=40.0, max_error=1.0, typical_error=1.0)

    """

    psnr: float = 0.0
    max_error: float = 1.0
    typical_error: float = 1.0


class Exporter(ABC, Generic[Model]):
    """Writes a model for one target. The core then runs the files and compares their output with torch.

    Most exporters take a student: ``class ONNX(nfcore.Exporter[nfcore.LightField])``. One that bakes the teacher
    (SNeRG, MobileNeRF, a mesh) is an ``nfcore.Exporter[nfcore.FittedTeacher]`` with ``takes = "teacher"``.

    An option ``title`` of text, if ``Options`` has one, is the scene's name unless the user sets it.

    Args:
        options: an instance of this class's ``Options``.

    """

    Options: ClassVar[type[BaseOptions]] = BaseOptions

    #: What ``export`` is given: the run's student, an ``nfcore.LightField``, or its teacher, an
    #: ``nfcore.FittedTeacher``.
    takes: ClassVar[Takes] = "student"

    #: Bits per weight that an option ``bits`` takes for single layers, by their names in the student, such as
    #: ``{"backbone.layers.3": 4}``. Empty: it has no such option. Only for exporters that take a student.
    bits: ClassVar[tuple[int, ...]] = ()

    def __init__(self, options: BaseOptions) -> None:
        self.options = options

    @property
    @abstractmethod
    def tolerance(self) -> Tolerance:
        """How far the output of these files may be from torch, at the precision of the options."""

    @abstractmethod
    def export(self, model: Model, folder: Path, /) -> Exported:
        """Write the files for ``model`` into the empty ``folder`` and describe them.

        It needs no data set and, for a student, no teacher. The files take a pose and intrinsics and return RGB;
        ray arithmetic is float32 in any precision. The core writes ``manifest.json``, ``README.md`` and
        ``picture.png`` next to them.
        """

    @abstractmethod
    def load(self, folder: Path, threads: int | None = None) -> Runner:
        """Load what ``export`` wrote, from the files alone.

        Args:
            folder: what ``export`` wrote; it may hold other files too.
            threads: number of CPU threads, where it runs on a CPU; None leaves it to the runtime.

        Raises:
            VerificationUnavailable: this platform can't run the target's files; the message says why.

        """

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        """Return option sets that trade size for quality, the most exact first.

        ``nfcore shrink`` chooses from them.
        """
        return ({},)

    def rounded(self, weight: Tensor, bits: int) -> Tensor:
        """Return a layer's ``weight`` as the target's compression to ``bits`` per weight rounds it.

        Called only if the class's ``bits`` is not empty.
        """
        raise NotImplementedError(f"{type(self).__name__} can't compress single layers")
