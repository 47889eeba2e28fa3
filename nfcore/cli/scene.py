"""``nfcore scene``: a data set's summary, as text, JSON or an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nfcore.cli import completion
from nfcore.cli.options import examples
from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.errors import NfcoreError, UserError
from nfcore.plugin.installed import plugins

if TYPE_CHECKING:
    from nfcore.interfaces import RaySource

#: Relative difference of the focal lengths of one lens in two files.
_SAME_LENS = 1e-3


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog=examples("nfcore scene data/lego", "nfcore scene colmap:can --picture can.png"))(scene)


def scene(
    which: Annotated[
        str,
        typer.Argument(
            metavar="SCENE",
            help="A data set's PATH, or a ray source NAME or NAME:PATH.",
            autocompletion=completion.scenes,
        ),
    ],
    image_size: Annotated[
        int | None, typer.Option(min=1, help="Longer side, in pixels, to which photos are scaled.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="An option of the ray source, such as near=0.5."),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Write an image of cameras, box and photos.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a data set's summary: photos, cameras, bounds, and warnings."""
    from nfcore.config.resolve import parse_change
    from nfcore.dataset.summary import summarise
    from nfcore.plugin.scene_detection import readers, scene_choice

    if picture is not None and picture.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UserError(f"--picture {picture}: its name must end in .png, .svg or .pdf")
    choice = scene_choice(which, plugins()) | dict(parse_change(change, "near=0.5") for change in changes or ())
    reader = choice.pop("name")
    source = plugins().build("ray_source", reader, choice, image_size)
    summary = summarise(source, reader)
    others = [
        name
        for name in readers(Path(which).expanduser(), plugins())
        if name != reader and not _shows_the_same(name, choice, source)
    ]
    if others:
        summary["warnings"].append(f"it is read as {reader}; choose {' or '.join(f'{o}:{which}' for o in others)}")
    if picture is not None:
        from nfcore.dataset.plot import save_scene_picture

        save_scene_picture(source, picture)
        summary["picture"] = str(picture)
    if as_json:
        print_json(summary)
    else:
        _print(summary)


def _shows_the_same(reader: str, choice: dict[str, Any], source: RaySource) -> bool:
    """Whether another ``reader`` finds the photos and lenses of ``source``: two layouts of one data set."""
    try:
        other = plugins().build("ray_source", reader, {"path": choice["path"]}, source.image_size)
    except NfcoreError:
        return False
    one, two = source.views("train"), other.views("train")
    names = [[Path(name).name for name in views.names] for views in (one, two)]
    if names[0] != names[1] or one.images.shape != two.images.shape:
        return False
    return bool(((one.cameras.intrinsics / two.cameras.intrinsics - 1).abs() < _SAME_LENS).all())


def _print(summary: dict[str, Any]) -> None:
    views, intrinsics, angles = summary["views"], summary["intrinsics"], summary["field_of_view"]
    rows = [
        ["kind", f"{summary['kind']}, read by {summary['ray_source']}"],
        ["photos", ", ".join(f"{count} {split}" for split, count in views.items())],
        ["size", f"{summary['width']}x{summary['height']} pixels; student scales: {_list(summary['scales'])}"],
        ["alpha", "yes" if summary["alpha"] else "no"],
        ["focal length", f"{_span(intrinsics['fx'])} x {_span(intrinsics['fy'])} pixels"],
        ["principal point", f"{_span(intrinsics['cx'])} x {_span(intrinsics['cy'])} pixels"],
        ["field of view", f"{_span(angles['horizontal'])} x {_span(angles['vertical'])} degrees"],
        ["near, far", f"{summary['near']:.4g}, {summary['far']:.4g}"],
        ["box", " to ".join(_point(corner) for corner in summary["box"])],
        ["background", _point(summary["background"])],
        ["cameras", _region(summary["cameras"])],
        ["pseudo cameras", _region(summary["pseudo_cameras"])],
    ]
    print_table(["", summary["scene"]], rows)
    for warning in summary["warnings"]:
        say(f"warning: {warning}")
    if "picture" in summary:
        say(f"picture: {summary['picture']}")


def _region(region: dict[str, Any]) -> str:
    where = f"{_point(region['from'])} to {_point(region['to'])}"
    return f"{where}, {_span(region['distance'])} from what they look at" if "distance" in region else where


def _span(values: list[float]) -> str:
    low, high = (f"{value:.4g}" for value in values)
    return low if low == high else f"{low} to {high}"


def _point(values: list[float]) -> str:
    return f"({', '.join(f'{value:.3g}' for value in values)})"


def _list(values: list[int]) -> str:
    return ", ".join(map(str, values))
