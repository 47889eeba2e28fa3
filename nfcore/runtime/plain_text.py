"""Text from files and plugins as plain text: nothing in it moves a cursor, sets a colour or ends a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Control characters, marks that change the direction of text, separators of lines, halves of characters.
_NOT_PLAIN = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff"
_IN_A_LINE = re.compile(f"[{_NOT_PLAIN}]")
_IN_LINES = re.compile(rf"(?![\n\t])[{_NOT_PLAIN}]")
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>#|!~]")


def plain(text: object) -> str:
    r"""Return ``text`` in one line, with each character that is not plain as its escape.

    >>> plain("a\x1b[31mred\n")
    'a\\x1b[31mred\\n'
    """
    return _IN_A_LINE.sub(_escaped, str(text))


def plain_lines(text: object) -> str:
    """Return ``text`` as ``plain`` does, but with its own line breaks and tabs."""
    return _IN_LINES.sub(_escaped, str(text))


def markdown(text: object) -> str:
    r"""Return ``text`` in one line of Markdown that shows it as it is.

    >>> markdown("[a](b)|<c>")
    '\\[a\\](b)\\|\\<c\\>'
    """
    return _MARKDOWN.sub(r"\\\g<0>", plain(text))


def markdown_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown, whose cells are Markdown.

    >>> print(markdown_table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |

    """
    return "\n".join(f"| {' | '.join(row)} |" for row in (heading, ["---"] * len(heading), *rows))


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
