"""The model card of an export: its manifest as a page for people, in Hugging Face's format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from nfcore.exports.manifest import MANIFEST, PICTURE, Manifest, ModelRecord
from nfcore.interfaces import ExportedFile, Port, Tolerance
from nfcore.interfaces.exporter import Takes
from nfcore.runtime.plain_text import markdown, markdown_table, plain

_SHOWN = 12  # hexadecimal digits of a hash on the card

_METHOD: dict[Takes, str] = {"student": "Neural light field", "teacher": "Radiance field"}
_INTRO: dict[Takes, str] = {
    "student": "A neural light field: one pass through a network turns a camera into its image of one scene, "
    "without ray marching on the device that renders it.",
    "teacher": "A radiance field of one scene, converted to primitives that the device can draw.",
}

_CONVENTIONS = """\
World: right-handed, in the scene units of the data set. Poses are camera to world with OpenGL axes: x right, y up,
the camera looks down -z. Pixels: top row first, centres at +0.5, intrinsics in pixels. Colours: RGB in [0, 1]."""


def card(manifest: Manifest) -> str:
    """Return the model card (Markdown with YAML front matter) of the export that ``manifest`` describes."""
    sections = [
        _front_matter(manifest),
        f"# {_title(manifest)}",
        _rejection(manifest),
        _picture(manifest),
        _about(manifest),
        "## How to call it",
        *(_file(file) for file in manifest.files),
        _CONVENTIONS,
        "## How close it is",
        _closeness(manifest),
        "## Limits",
        _bullets(_limits(manifest)),
        *_findings(manifest),
        "## Files",
        markdown_table(
            ("file", "bytes", "SHA-256"),
            [(_code(c.path), f"{c.bytes:,}", f"`{c.sha256[:_SHOWN]}...`") for c in manifest.contents],
        ),
        f"`{MANIFEST}` has all of this for programs, with full hashes.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(manifest: Manifest) -> str:
    method = _METHOD[manifest.model.kind].lower().replace(" ", "-")
    tags = (method, "novel-view-synthesis", manifest.exporter.name.rpartition("/")[2])
    lines = ["library_name: nfcore", "pipeline_tag: image-to-3d", "tags:", *(f"- {tag}" for tag in tags)]
    return "\n".join(["---", *lines, "---"])


def _title(manifest: Manifest) -> str:
    scene = manifest.model.scene or _METHOD[manifest.model.kind]
    return markdown(f"{scene}: {manifest.target}, {manifest.precision}")


def _rejection(manifest: Manifest) -> str:
    if manifest.rejected is None:
        return ""
    return f"> **Rejected: do not use these files.** This export {_ended(markdown(manifest.rejected))}"


def _picture(manifest: Manifest) -> str:
    model, pose = manifest.model.kind, "at one of its test poses"
    if manifest.parity is None:
        return (
            f"![The {model}]({PICTURE})\n\nThe {model} in PyTorch {pose}. This export was not run: see *Limits*."
        )
    return (
        f"![The {model} and the export]({PICTURE})\n\n"
        f"Left: the {model} in PyTorch. Right: this export {pose}, run by {markdown(manifest.verified_by)}."
    )


def _about(manifest: Manifest) -> str:
    image, model = manifest.image, manifest.model
    rows = [
        (
            "image",
            f"{image.width} x {image.height} pixels, {image.pixels_per_ray} x {image.pixels_per_ray} per ray",
        ),
        ("precision", markdown(manifest.precision)),
        ("target", markdown(manifest.target)),
        ("size", f"{manifest.bytes / 1e6:.2f} MB"),
        (", ".join(model.components), ", ".join(map(_code, model.components.values()))),
        ("trained parameters", f"{model.parameters:,}"),
        *([] if model.macs is None else [("work per image", f"{model.macs / 1e9:.3g} GMAC")]),
        ("made by", _made_by(manifest)),
        ("from", _made_from(model)),
    ]
    return f"{_INTRO[model.kind]}\n\n{markdown_table(('', ''), rows)}"


def _made_by(manifest: Manifest) -> str:
    exporter = manifest.exporter
    options = ", ".join(f"{name} = {value}" for name, value in exporter.options.items() if value is not None)
    version = f" {exporter.version}" if exporter.version else ""
    return f"{_code(exporter.name)}{markdown(version)}, nfcore {exporter.nfcore}, {manifest.created:%Y-%m-%d}" + (
        f"; {markdown(options)}" if options else ""
    )


def _made_from(model: ModelRecord) -> str:
    if model.file is None or model.sha256 is None:
        return f"a {model.kind} in memory"
    return f"{_code(model.file)}, SHA-256 `{model.sha256[:_SHOWN]}...`"


def _file(file: ExportedFile) -> str:
    def rows(ports: Iterable[Port], way: str) -> list[tuple[str, ...]]:
        return [
            (way, _code(p.name), markdown(_shape(p.shape)), markdown(p.dtype), markdown(p.meaning)) for p in ports
        ]

    table = markdown_table(
        ("", "name", "shape", "type", "meaning"), [*rows(file.inputs, "in"), *rows(file.outputs, "out")]
    )
    return f"### {_code(file.name)}\n\n{table}"


def _shape(shape: Sequence[int | str]) -> str:
    return " x ".join(str(side) for side in shape) or "scalar"


def _closeness(manifest: Manifest) -> str:
    parity, photos = manifest.parity, manifest.photos
    if parity is None:
        return "Not measured: these files can't be run on the machine that exported them."
    rows = [
        (f"against PyTorch, {parity.poses} poses: PSNR, least", f"{parity.least_psnr:.1f} dB"),
        ("PSNR, mean", f"{parity.mean_psnr:.1f} dB"),
        ("maximum difference of a colour in [0, 1]", f"{parity.max_error:.1e}"),
        ("required", required(manifest.tolerance)),
    ]
    if photos is not None:
        rows += [
            (f"against {photos.photos} test photos: PSNR, mean", f"{photos.psnr:.2f} dB"),
            ("PyTorch's own on the same photos", f"{photos.torch_psnr:.2f} dB"),
        ]
    return f"Measured by {markdown(manifest.verified_by)}.\n\n{markdown_table(('', ''), rows)}"


def required(tolerance: Tolerance) -> str:
    """Return a tolerance in words.

    >>> required(Tolerance(psnr=40, max_error=0.1))
    'at least 40 dB, differences of at most 1e-01'
    """
    parts = [f"at least {tolerance.psnr:g} dB"] if tolerance.psnr > 0 else []
    if tolerance.max_error < 1:
        parts.append(f"differences of at most {tolerance.max_error:.0e}")
    if tolerance.typical_error < 1:
        parts.append(f"for 99.99% of the values at most {tolerance.typical_error:.0e}")
    return ", ".join(parts)


def _limits(manifest: Manifest) -> list[str]:
    limits = [
        "It shows one scene, and only what its training cameras have seen of it.",
        f"It has all errors of its {manifest.model.kind}: see the PSNR against photos.",
    ]
    return [*limits, *(_ended(f"Not verified: {markdown(what)}") for what in manifest.not_verified)]


def _findings(manifest: Manifest) -> list[str]:
    if not manifest.report:
        return []
    return ["## What the exporter found", _nested(manifest.report)]


def _nested(value: JsonValue, depth: int = 0) -> str:
    """Return JSON values as nested bullets."""
    indent = "  " * depth
    if isinstance(value, dict):
        lines = []
        for name, part in value.items():
            if isinstance(part, dict | list) and part:
                lines.append(f"{indent}- {markdown(name)}:\n{_nested(part, depth + 1)}")
            else:
                lines.append(f"{indent}- {markdown(name)}: {markdown(_in_words(part))}")
        return "\n".join(lines)
    parts = value if isinstance(value, list) else [value]
    return "\n".join(f"{indent}- {markdown(_in_words(part))}" for part in parts)


def _in_words(value: JsonValue) -> str:
    if isinstance(value, list):
        return ", ".join(_in_words(part) for part in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_in_words(part)}" for name, part in value.items()) or "none"
    if value is None:
        return "none"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _code(text: str) -> str:
    """Return a name as code, also in a table: a span of code has no escapes of its own."""
    return f"`{plain(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
