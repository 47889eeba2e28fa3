"""The command ``nfcore pose``: photos without poses, or a video, to a posed data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nfcore.cli import JsonOption, QuietOption, print_json, say
from nfcore_pose.options import Lens, Matching, Sharing

if TYPE_CHECKING:
    from nfcore_pose.estimation import PosedCapture
    from nfcore_pose.job import Posed

#: Names of photos without a pose that are listed.
_LISTED = 12
#: Longer side of the photos in the picture, pixels.
_PICTURED = 480


def pose(
    photos: Annotated[Path, typer.Argument(help="A folder of photos, or a video.", metavar="PHOTOS|VIDEO")],
    out: Annotated[
        Path | None, typer.Argument(help="New folder for the data set; by default NAME-posed.", show_default=False)
    ] = None,
    frames: Annotated[int, typer.Option(min=3, help="Frames to take from a video.")] = 100,
    features_at: Annotated[
        int, typer.Option(min=160, max=4000, help="Find features in copies with this longer side, in pixels.")
    ] = 1000,
    matching: Annotated[
        Matching, typer.Option(help="Pairs to compare: all (exhaustive), or neighbours in order (sequential).")
    ] = "auto",
    cameras: Annotated[
        Sharing, typer.Option(help="Photos that share a camera: by EXIF and size (auto), all (one), none (each).")
    ] = "auto",
    lens: Annotated[Lens, typer.Option(help="COLMAP's model of the lens.")] = "SIMPLE_RADIAL",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random choices.")] = 0,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate the poses of photos, or of a video's frames, and write a data set; the same command resumes."""
    # Imported here, so that listings don't wait for torch.
    from nfcore import UserError
    from nfcore.ui import Console
    from nfcore_pose.estimation import posed_capture
    from nfcore_pose.options import PosingOptions

    out = Path(f"{photos.resolve().stem}-posed") if out is None else out
    options = PosingOptions(
        frames=frames,
        features_at=features_at,
        matching=matching,
        cameras=cameras,
        lens=lens,
        seed=seed,
    )
    if out.exists() and not (out / "poses.json").is_file():
        raise UserError(f"{out} exists already and was not written by this command: choose a new folder")
    with Console(quiet=quiet, pictures=False) as console:
        try:
            capture = posed_capture(photos, options, console)
            picture = _write(capture, out)
        except KeyboardInterrupt:
            console.note("interrupted: the same command resumes")
            raise
    if as_json:
        print_json(capture.posed.model_dump(mode="json") | {"folder": str(out), "picture": str(picture)})
    else:
        _print(capture.posed, out, picture)


def _write(capture: PosedCapture, out: Path) -> Path:
    """Write the data set to ``out``, with its picture, and return the picture."""
    from nfcore import plugins
    from nfcore.dataset import save_scene_picture
    from nfcore.io import atomic_path
    from nfcore_pose.copies import copy_folder

    record = out / "poses.json"
    if record.is_file() and record.read_bytes() == (capture.folder / "poses.json").read_bytes():
        return out / "scene.png"
    with atomic_path(out.resolve()) as new:
        copy_folder(capture.folder, new)
        source = plugins().build("ray_source", "colmap", {"path": new}, min(_PICTURED, capture.posed.error_at))
        save_scene_picture(source, new / "scene.png")
    return out / "scene.png"


def _print(posed: Posed, out: Path, picture: Path) -> None:
    say(
        f"{posed.registered} of {posed.photos} photos posed, mean reprojection error {posed.error:.2f} px "
        f"(at {posed.error_at} px), {posed.points} points, {_counted(posed.cameras, 'camera')}"
    )
    if posed.unregistered:
        more = len(posed.unregistered) - _LISTED
        listed = ", ".join(posed.unregistered[:_LISTED]) + (f" and {more} more" if more > 0 else "")
        say(f"without a pose: {listed}")
    for sentence in posed.advice:
        say(f"warning: {sentence}")
    say(f"data set: {out}")
    say(f"picture: {picture}")
    say(f"next: nfcore run quickstart --scene {out}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
