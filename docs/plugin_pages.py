"""The READMEs of the first-party plugins as pages of the documentation, and their place in its navigation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

READMES = sorted(Path(__file__).parents[1].glob("plugins/*/README.md"))


def on_config(config: MkDocsConfig) -> None:
    """Add the pages to the navigation."""
    (listed,) = (entry["Plugins"] for entry in config.nav or [] if "Plugins" in entry)
    listed += [{Path(path).stem: path} for path in pages()]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    from mkdocs.structure.files import File  # here, so that tests read the pages where mkdocs is not installed

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> dict[str, str]:
    """Return a page for each plugin: path and Markdown."""
    return {
        f"plugins/{readme.parent.name}.md": links_to_pages(readme.read_text(encoding="utf-8"))
        for readme in READMES
    }


def links_to_pages(text: str) -> str:
    """Return a README's Markdown with links to pages; those to what is no page, such as code, become text.

    >>> links_to_pages("[nfcore](../../README.md), [baked](../../docs/baked.md#bytes), [code](src/code.py)")
    '[nfcore](../index.md), [baked](../baked.md#bytes), code'
    """

    def link(found: re.Match[str]) -> str:
        label, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if path == "../../README.md":
            return f"[{label}](../index.md)"
        if path.startswith("../../docs/"):
            return f"[{label}](../{path.removeprefix('../../docs/')}{hash_}{anchor})"
        if (name := path.removeprefix("../").rstrip("/")).startswith("nfcore-") and "/" not in name:
            return f"[{label}]({name}.md)"
        return label

    return re.sub(r"\[([^\]]*)\]\((?!https?:|#)([^)]+)\)", link, text)
