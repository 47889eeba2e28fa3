"""The options of ``nfcore render``, checked as far as possible without opening any file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nfcore.errors import UserError

if TYPE_CHECKING:
    from nfcore.interfaces.exporter import Takes

Format = Literal["mp4", "webm", "gif", "png", "png16", "npy"]
Renderer = Literal["student", "teacher", "depth"]
VIDEOS: tuple[Format, ...] = ("mp4", "webm", "gif")
DEPTH_ONLY = ("png16", "npy")


@dataclass(frozen=True)
class RenderOptions:
    """What to render and how to write it; None for options that are not given."""

    path: str
    renderer: Renderer
    size: str | None
    frames: int | None
    still: int | None
    fps: float | None
    format: Format
    depth_range: tuple[float, float] | None
    worlds: tuple[Path, ...]
    out: Path | None

    @property
    def by_student(self) -> bool:
        """Whether the student renders."""
        return self.renderer == "student"

    @property
    def what(self) -> str:
        """A word for what is rendered."""
        return "picture" if self.still is not None else "video" if self.format in VIDEOS else "pictures"


def chosen_renderer(given: Takes | None, default: Takes, *, depth: bool) -> Renderer:
    """Return the renderer that --from and --depth choose; by default ``default``, which shows the run's result.

    Raises:
        UserError: depth was requested of the student.

    """
    if depth:
        if given == "student":
            raise UserError("--from student has no depth: leave it out, or use --from teacher")
        return "depth"
    return given or default


def agreed_format(chosen: Format | None, out: Path | None, still: int | None, *, depth: bool) -> Format:
    """Return the output format by --format, the ending of --out and --still.

    Raises:
        UserError: they contradict each other.

    """
    ending = out.suffix.lower().removeprefix(".") if out is not None else ""
    if still is not None:
        if chosen not in (None, "png") or ending not in ("", "png"):
            raise UserError("--still writes a PNG: leave --format out, and let --out end in .png")
        return "png"
    for video in VIDEOS:
        if ending == video and chosen in (None, video):
            return video
    if ending and (ending in VIDEOS or chosen in VIDEOS or chosen is None):
        wanted = f".{chosen}" if chosen in VIDEOS else " or ".join(f".{name}" for name in VIDEOS)
        raise UserError(
            f"--out {out}: its ending should be {wanted}; images, png16 and npy are written to a folder"
        )
    if chosen in DEPTH_ONLY and not depth:
        raise UserError(f"--format {chosen} is for depth in scene units: add --depth")
    if out is None:
        return chosen or "mp4"
    if chosen in VIDEOS:
        raise UserError(f"--out {out}: a video's file should end in .{chosen}")
    return chosen or "png"


def depth_bounds(text: str | None, *, depth: bool) -> tuple[float, float] | None:
    """Return the depths of the first and last colour, scene units, from --depth-range; None if not given.

    Raises:
        UserError: not a range, or given without --depth.

    """
    if text is None:
        return None
    if not depth:
        raise UserError("--depth-range colours depth: add --depth")
    try:
        near, far = (float(part) for part in text.split(":"))
    except ValueError:
        near = far = 0.0
    if not 0 <= near < far < float("inf"):
        raise UserError(f"--depth-range {text!r}: write NEAR:FAR in scene units, such as 2:6")
    return near, far
