"""The files of a shared model: their names, and which of a repository's files belong to it."""

from __future__ import annotations

import re

#: The model: the first one that there is.
MODELS = ("student.safetensors", "teacher.safetensors")
RECIPE, SUMMARY, CARD, PICTURE = "recipe.toml", "summary.json", "README.md", "picture.png"
EXPORTS = "exports"

_MANIFEST = re.compile(rf"{EXPORTS}/([\w.-]+)/manifest\.json")


def exported(files: list[str]) -> list[str]:
    """Return the labels of the exports among a repository's files.

    >>> exported(["exports/web/manifest.json", "exports/../x/manifest.json", "README.md"])
    ['web']
    """
    labels = (found[1] for file in files if (found := _MANIFEST.fullmatch(file)))
    return sorted(label for label in labels if label.strip("."))
