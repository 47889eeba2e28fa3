"""The errors that a person reads: one or two lines that say what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class NfcoreError(Exception):
    """A failure while working: a full disk, a loss that diverges. The command line exits with 1."""

    exit_code = 1


class UserError(NfcoreError):
    """A mistake in what was asked for or given: a bad path, name, option or data file. Exits with 2."""

    exit_code = 2


class PluginError(UserError):
    """A plugin is broken, ambiguous or unknown; the text names the distribution and the reason."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint such as ``did you mean 'voxels'?`` or the list of what there is, for an unknown name."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "there is " + (", ".join(known) if known else "none")
