"""The encodings of text files that programs on any system write."""

from __future__ import annotations

import codecs


def decoded(data: bytes) -> str:
    """Return text in UTF-8, with or without a mark, or in what Windows writes in its place.

    >>> decoded("f\\u00fcnf".encode("utf-16")) == decoded("f\\u00fcnf".encode("cp1252")) == "f\\u00fcnf"
    True
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
