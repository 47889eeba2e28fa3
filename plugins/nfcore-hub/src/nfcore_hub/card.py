"""The card of a shared model: what it is, how good it is and how it is used, in the hub's format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import nfcore
from nfcore.exports import Manifest
from nfcore.runtime import markdown, markdown_table

_KIND = {"student": "neural light field", "teacher": "radiance field"}


def card(
    repo: str,
    renderer: Literal["student", "teacher"],
    summary: Mapping[str, Any],
    exports: Mapping[str, Manifest],
    picture: str | None,
    licence: str | None,
) -> str:
    """Return the card (Markdown with YAML front matter).

    Args:
        repo: owner and name.
        renderer: which of the run's models is shared.
        summary: the run's figures.
        exports: by label.
        picture: name of the file that shows the model, if there is one.
        licence: the hub's short name, or None.

    """
    scene = markdown(str(summary.get("scene", repo.rpartition("/")[2])))
    scores = list(_scores(summary))
    sections = [
        _front_matter(renderer, licence),
        f"# {scene}: a {_KIND[renderer]}",
        f"![The model, its teacher and a photo]({picture})" if picture else "",
        f"A {_KIND[renderer]} of one scene, learned from photos by nfcore {nfcore.__version__}. It shows that "
        "scene only, and only what the photos have seen of it.",
        "## Use",
        f"    nfcore pull hf:{repo}\n    nfcore render {repo.rpartition('/')[2]}/{renderer}.safetensors",
        "`recipe.toml` is the pipeline that made it: `nfcore run recipe.toml --scene PHOTOS` repeats it.",
        "## Quality on test photos",
        markdown_table(("", "PSNR dB", "SSIM", "LPIPS"), scores) if scores else "Not measured.",
        _exports(exports),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _front_matter(renderer: str, licence: str | None) -> str:
    lines = ["library_name: nfcore", "pipeline_tag: image-to-3d"]
    lines += [] if licence is None else [f"license: {licence}"]
    tags = (_KIND[renderer].replace(" ", "-"), "novel-view-synthesis")
    return "\n".join(["---", *lines, "tags:", *(f"- {tag}" for tag in tags), "---"])


def _scores(summary: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    for who in ("teacher", "student"):
        scores = [summary.get(f"{who}.test.{metric}") for metric in ("psnr", "ssim", "lpips")]
        if any(score is not None for score in scores):
            forms = ("{:.2f}", "{:.4f}", "{:.4f}")
            yield [who, *("" if s is None else form.format(s) for s, form in zip(scores, forms, strict=True))]


def _exports(exports: Mapping[str, Manifest]) -> str:
    if not exports:
        return ""
    rows = [
        (
            f"[{markdown(label)}](exports/{label}/README.md)",
            markdown(manifest.target),
            markdown(manifest.precision),
            f"{manifest.bytes / 1e6:.2f} MB",
            "not measured" if manifest.parity is None else f"{manifest.parity.least_psnr:.1f} dB",
        )
        for label, manifest in exports.items()
    ]
    return "## Exports\n\n" + markdown_table(("", "target", "precision", "size", "against PyTorch"), rows)
