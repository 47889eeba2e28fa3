"""Markdown of generated pages: paragraphs and tables."""

from __future__ import annotations

import re

from nfcore.runtime import markdown_table


def table(columns: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    heading, *body = [[cell_of(text) for text in line] for line in (columns, *rows)]
    return markdown_table(heading, body)


def cell_of(text: str) -> str:
    r"""Return a text as a table's cell: a bar ends it, but within code, where a backslash would be shown.

    >>> cell_of("`int | None`: a | b")
    '`int | None`: a \\| b'
    """
    return re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or r"\|", text.replace("\n", " "))


def page(parts: list[str]) -> str:
    """Return a page of paragraphs."""
    return "\n\n".join(part for part in parts if part) + "\n"
