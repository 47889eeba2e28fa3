"""``nfcore recipes``: list and print the available pipelines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from nfcore.cli import completion
from nfcore.cli.options import examples
from nfcore.cli.output import JsonOption, print_json, print_table, say
from nfcore.errors import UserError
from nfcore.io.files import read_text
from nfcore.io.records import LONGEST_SIDE
from nfcore.plugin.installed import plugins

app = typer.Typer(help="Named pipelines.", no_args_is_help=True, rich_markup_mode=None)


ImageOption = Annotated[
    str | None,
    typer.Option(
        metavar="WIDTHxHEIGHT", help="Image size for --sizes; by default a square of the recipe's image_size."
    ),
]


@app.command(
    "list", epilog=examples("nfcore recipes list --sizes", "nfcore recipes list --sizes --image 1008x756")
)
def list_recipes(
    sizes: Annotated[
        bool,
        typer.Option(
            "--sizes",
            help="Show the size of each recipe's student, and the work of an image: multiply-adds and look-ups.",
        ),
    ] = False,
    image: ImageOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the recipes that installed plugins offer."""
    if image and not sizes:
        raise UserError("--image is for the sizes of students: add --sizes")
    rows: list[dict[str, Any]] = [
        {"name": recipe.name, "distribution": plugin.distribution, "summary": recipe.summary}
        for plugin, recipe in plugins().recipes()
    ]
    if sizes:
        sides = _sides(image) if image else None
        rows = [row | _size(f"{row['distribution']}/{row['name']}", sides) for row in rows]
    if as_json:
        print_json(rows)
    elif not sizes:
        print_table(["recipe", "from", "what it is"], [list(row.values()) for row in rows])
    else:
        columns = ["recipe", "rays", "pixels", "parameters", "without upsampler", "GMAC", "look-ups", "MB read"]
        keys = [
            "name",
            "rays",
            "image",
            "parameters",
            "without_upsampler",
            "gmac",
            "look_ups",
            "look_up_megabytes",
        ]
        print_table(columns, [[_with_commas(row.get(key)) for key in keys] for row in rows])
        for row in rows:
            if "problem" in row:
                say(f"{row['name']}: {row['problem']}")


@app.command(epilog=examples("nfcore recipes show quickstart --resolved > mine.toml"))
def show(
    name: Annotated[
        str, typer.Argument(help="A recipe's name, or a .toml file.", autocompletion=completion.recipes)
    ],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Include what it inherits from the recipe that it extends.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a recipe; copy it to a .toml file to make your own."""
    import tomli_w

    from nfcore.config.layers import read_recipe

    if as_json:
        print_json(read_recipe(name, plugins()))
    elif resolved:
        say(tomli_w.dumps(read_recipe(name, plugins())).strip())
    else:
        path = Path(name) if name.endswith(".toml") else plugins().recipe(name).path
        say(read_text(path).removesuffix("\n"))


def _size(recipe: str, sides: tuple[int, int] | None) -> dict[str, Any]:
    """Return a recipe's row of ``--sizes`` for images of (width, height), or why it can't be computed."""
    from nfcore.config.resolve import read_pipeline
    from nfcore.student.sizes import student_size

    try:
        config = read_pipeline(recipe, plugins())
        width, height = sides or (config.image_size, config.image_size)
        if width is None or height is None:
            return {"problem": "keeps the photos' size: choose one with --image"}
        size = student_size(config.student_training().student, plugins(), height, width)
    except UserError as error:
        return {"problem": str(error)}
    return {
        "rays": f"{size.rays[1]}x{size.rays[0]}",
        "image": f"{width}x{height}",
        "parameters": size.parameters,
        "without_upsampler": size.without_upsampler,
        "gmac": round(size.macs / 1e9, 3),
        "look_ups": size.look_ups.rows,
        "look_up_megabytes": round(size.look_ups.bytes / 1e6, 1),
    }


def _with_commas(value: Any) -> Any:
    return f"{value:,}" if isinstance(value, int) else value


def _sides(image: str) -> tuple[int, int]:
    sides = re.fullmatch(r"(\d{1,5})x(\d{1,5})", image)
    if sides is None or not all(1 <= int(side) <= LONGEST_SIDE for side in sides.groups()):
        raise UserError(f"--image {image!r}: write it as WIDTHxHEIGHT in pixels, such as 1008x756")
    return int(sides[1]), int(sides[2])
