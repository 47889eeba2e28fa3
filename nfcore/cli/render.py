"""``nfcore render``: stills and videos along a camera path, of the student, the teacher or its depth."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nfcore.cli import completion
from nfcore.cli.options import (
    RUNS,
    ModelArgument,
    QuietOption,
    RunsOption,
    ThreadsOption,
    examples,
    run_folder,
)
from nfcore.cli.output import JsonOption, print_json, say
from nfcore.cli.render_options import (
    DEPTH_ONLY,
    VIDEOS,
    Format,
    RenderOptions,
    agreed_format,
    chosen_renderer,
    depth_bounds,
)
from nfcore.cli.work import Display, limit_threads, print_paths, work
from nfcore.errors import UserError
from nfcore.plugin.installed import plugins

if TYPE_CHECKING:
    from torch import Tensor

    from nfcore.interfaces import SceneModel
    from nfcore.interfaces.reporting import Reporter
    from nfcore.runs import Artifacts, ModelFile
    from nfcore.scene.bounds import Scene
    from nfcore.scene.cameras import Cameras

    Opened = Artifacts | ModelFile

_EXAMPLES = examples(
    "nfcore render quickstart --path spiral --out spiral.mp4",
    "nfcore render quickstart --depth --still 0",
    "nfcore render student.safetensors --size 400",
)


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=_EXAMPLES)(render)


def render(
    run: ModelArgument,
    path: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="orbit, spiral, test (the test photos' poses), reference (those saved with the model), or a "
            "JSON file of cameras in nfcore's or nerfstudio's format.",
            autocompletion=completion.camera_paths,
        ),
    ] = None,
    renderer: Annotated[
        Literal["student", "teacher"] | None,
        typer.Option("--from", help="What renders; by default the student, if there is one."),
    ] = None,
    depth: Annotated[bool, typer.Option("--depth", help="Render depth, which only the teacher has.")] = False,
    depth_range: Annotated[
        str | None,
        typer.Option(
            metavar="NEAR:FAR", help="Depths of the first and the last colour, scene units; estimated by default."
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Pixels: the longer side, such as 400, or HEIGHTxWIDTH, such as 300x400.")
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(min=1, help="Number of frames; by default 120 on orbit and spiral, else all of the path."),
    ] = None,
    still: Annotated[
        int | None, typer.Option(min=0, metavar="INDEX", help="Render only this frame of the path, as one PNG.")
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.1, max=1000, help="Frames per second; the path's own, or 30.")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="mp4, webm, gif, or png for a folder of pictures; for scripts, depth in scene units as png16 or "
            "npy. By default the ending of --out decides.",
        ),
    ] = None,
    worlds: Annotated[
        list[Path] | None,
        typer.Option(
            "--world",
            help="For a nerfstudio path: its run's dataparser_transforms.json, then the scene's transforms.json.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File or folder to write; for a file without other options, a folder."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Run the run's render stage again.")] = False,
    runs_folder: RunsOption = RUNS,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write images and videos along a camera path; without options, a comparison and an orbit video."""
    given = (path, renderer, depth or None, depth_range, size, frames, still, fps, format_, worlds)
    customised = any(option is not None for option in given)
    folder = run_folder(run, runs_folder)
    if not customised and folder.is_file() and not again:
        from nfcore.cli.model_file import render_file

        limit_threads(threads)
        render_file(folder, out, quiet=quiet, as_json=as_json)
        return
    if not customised and out is None and not folder.is_file():
        display = Display(quiet, as_json=as_json)
        speaks = work(folder, "render", display, again=again, threads=threads, table=False)
        if speaks and not as_json:
            print_paths(folder)
        return
    if again:
        raise UserError("--again is for a run's own render stage: leave it out, or the other options and files")
    from nfcore import runs

    opened = runs.ModelFile(folder, plugins()) if folder.is_file() else runs.open(folder, plugins())
    options = RenderOptions(
        path=path or "orbit",
        renderer=chosen_renderer(renderer, opened.renderer, depth=depth),
        size=size,
        frames=frames,
        still=still,
        fps=fps,
        format=agreed_format(format_, out, still, depth=depth),
        depth_range=depth_bounds(depth_range, depth=depth),
        worlds=tuple(worlds or ()),
        out=out,
    )
    limit_threads(threads)
    what, target = _render(opened, options, quiet=quiet)
    if as_json:
        print_json({"what": what, "path": str(target)})
    else:
        say(f"{what}: {target}")


def _render(opened: Opened, options: RenderOptions, *, quiet: bool) -> tuple[str, Path]:
    """Render as the options say; return what was written and where."""
    from nfcore.geometry.coverage import beyond
    from nfcore.ui.console import Console, ConsoleReporter

    with Console(quiet=quiet) as console:
        cameras, fps = _cameras(opened, options)
        if options.by_student:
            student = opened.student
            known = student.cameras.to("cpu")
            lost = int(beyond(known, cameras, forward_facing=student.scene.forward_facing).sum())
            if lost:
                console.note(
                    f"{lost} of {len(cameras)} cameras are or look outside the region of the student's reference "
                    "cameras: it was not trained on what they show"
                )
        reporter = ConsoleReporter(console, "render")
        save = _save_depth if options.renderer == "depth" else _save_colour
        return save(opened, options, cameras, fps, reporter)


def _model(opened: Opened, options: RenderOptions) -> SceneModel:
    return opened.student if options.by_student else opened.fitted_teacher


def _known(opened: Opened, options: RenderOptions) -> tuple[Cameras, Scene]:
    """Return the cameras that the path is made from, and the scene; photos are read only where needed."""
    if options.path == "test":
        return opened.source.views("test").cameras, opened.source.scene
    model = _model(opened, options)
    return model.cameras.to("cpu"), model.scene


def _cameras(opened: Opened, options: RenderOptions) -> tuple[Cameras, float]:
    """Return the path's cameras in the requested size and number, and the frames per second."""
    from nfcore.geometry.interpolation import resampled
    from nfcore.pipeline.render import along, is_path_name
    from nfcore.scene.camera_paths import MOST_FRAMES, read_path

    if (options.frames or 0) > MOST_FRAMES:
        raise UserError(f"--frames {options.frames}: at most {MOST_FRAMES:,}, more than an hour of video")
    known, scene = _known(opened, options)
    fps = 30.0
    if is_path_name(options.path):
        if options.worlds:
            raise UserError(
                f"--path {options.path} is in scene coordinates: leave out --world, it is for nerfstudio paths"
            )
        cameras = along(options.path, known, scene, options.frames)
    else:
        read = read_path(Path(options.path), options.worlds)
        cameras, fps = read.cameras(known), read.fps
        if options.frames is not None:
            cameras = resampled(cameras, options.frames)
    if options.size is not None:
        cameras = cameras.resized(*_size(options.size, cameras, _model(opened, options).scale))
    if options.still is not None:
        if options.still >= len(cameras):
            raise UserError(f"--still {options.still}: the path has {len(cameras)} frames, counted from 0")
        cameras = cameras[options.still]
    return cameras, options.fps or fps


def _save_colour(
    opened: Opened, options: RenderOptions, cameras: Cameras, fps: float, reporter: Reporter
) -> tuple[str, Path]:
    from nfcore.pipeline.render import rendered

    frames = rendered(_model(opened, options), cameras, reporter)
    target = _target(opened, options, options.renderer, cameras)
    _save(target, frames, cameras, fps, options)
    return options.what, target


def _save_depth(
    opened: Opened, options: RenderOptions, cameras: Cameras, fps: float, reporter: Reporter
) -> tuple[str, Path]:
    from nfcore.pipeline.depth import coloured, depth_range, depth_views, save_depth_array, save_depth_pictures

    teacher = opened.fitted_teacher.teacher
    views = depth_views(teacher, cameras, reporter)
    if options.format in DEPTH_ONLY:
        target = _target(opened, options, f"depth-{options.format}", cameras)
        if options.format == "npy":
            save_depth_array(target, views, cameras, fps)
            return "depth in scene units", target / "depth.npy"
        save_depth_pictures(target, views, cameras, fps, teacher.scene)
        return "depth (times depth_unit of cameras.json, in scene units)", target
    bounds = options.depth_range or depth_range(teacher, cameras)
    target = _target(opened, options, f"depth-{bounds[0]:.3g}-to-{bounds[1]:.3g}", cameras)
    _save(target, (coloured(seen, bounds, teacher.scene.background) for seen in views), cameras, fps, options)
    return f"{options.what}, depth {bounds[0]:.3g} (red) to {bounds[1]:.3g} (violet) scene units", target


def _save(target: Path, frames: Iterable[Tensor], cameras: Cameras, fps: float, options: RenderOptions) -> None:
    from nfcore.io.images import save_png
    from nfcore.pipeline.render import save_frames

    if options.still is not None:
        save_png(target, *frames)
    else:
        save_frames(target, frames, cameras, fps, enlarge=options.size is None)


def _target(opened: Opened, options: RenderOptions, shown: str, cameras: Cameras) -> Path:
    """Return the file or folder to write.

    Raises:
        UserError: the folder has other contents, which would be replaced.

    """
    ending = f".{options.format}" if options.format in VIDEOS or options.still is not None else ""
    if options.out is not None:
        target = options.out
    else:
        name = Path(options.path).stem
        if name == "cameras":  # a folder of rendered images has this file; name the result after the folder
            name = Path(options.path).absolute().parent.name
        size = f"-{cameras.height}x{cameras.width}" if options.size else ""
        still = f"-{options.still}" if options.still is not None else ""
        target = opened.renders_folder / f"{name}-{shown}{size}{still}{ending}"
    if ending and target.is_dir():
        raise UserError(f"{target}: is a folder; choose a file with --out")
    ours = (target / "cameras.json").is_file() or (target.is_dir() and not any(target.iterdir()))
    if not ending and target.exists() and not ours:
        raise UserError(f"{target}: has other contents, which would be replaced: choose another --out")
    return target


def _size(text: str, cameras: Cameras, scale: int) -> tuple[int, int]:
    """Return height and width in pixels; from one side, the other is the best-fitting multiple of ``scale``."""
    parts = text.lower().split("x")
    if not all(part.isdecimal() and 0 < int(part) <= 16384 for part in parts) or len(parts) > 2:
        raise UserError(f"--size {text!r}: write the longer side, such as 400, or HEIGHTxWIDTH, such as 300x400")
    if len(parts) == 2:
        return int(parts[0]), int(parts[1])
    longer = int(parts[0])
    ratio = min(cameras.height, cameras.width) / max(cameras.height, cameras.width)
    shorter = max(1, round(longer * ratio / scale)) * scale
    return (longer, shorter) if cameras.height >= cameras.width else (shorter, longer)
