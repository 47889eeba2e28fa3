"""Errors for users: one or two lines that say what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NfcoreError(Exception):
    """A failure of the work itself: a full disk, a loss that diverges. The command line exits with 1."""

    exit_code = 1


class UserError(NfcoreError):
    """A mistake in the input: a bad path, name, option or data file. The command line exits with 2."""

    exit_code = 2


class PluginError(UserError):
    """A plugin is broken, ambiguous or unknown; the text names the distribution and the reason."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the closest known names, or all of them.

    >>> nearest("voxel", ["voxels", "mean"])
    "did you mean 'voxels'?"
    >>> nearest("tree", ["voxels", "mean"])
    'there is mean, voxels'
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "there is " + (", ".join(known) if known else "none")
