"""Errors for users: one or two lines that say what is wrong, where, and what would be right."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable


class NfcoreError(Exception):
    """A failure of the work itself: a full disk, a loss that diverges. The command line exits with 1."""

    exit_code = 1


class UserError(NfcoreError):
    """A mistake in the input: a bad path, name, option or data file. The command line exits with 2."""

    exit_code = 2


class PluginError(UserError):
    """A plugin is broken, ambiguous or unknown; the text names the distribution and the reason."""


class Interrupted(BaseException):
    """A signal has ended the work: Ctrl-C, SIGTERM or SIGHUP. No plugin can catch it by mistake.

    Args:
        number: the signal.
        resume: the command that resumes the work; empty if there is nothing to resume.

    """

    def __init__(self, number: int, resume: str = "") -> None:
        self.number = number
        self.resume = resume
        super().__init__(f"interrupted; to resume: {resume}" if resume else "interrupted")

    @property
    def exit_code(self) -> int:
        """The exit code of the command line: 130 after Ctrl-C, 143 after a request to end."""
        return 130 if self.number == signal.SIGINT else 143


class TrialOver(BaseException):
    """A trial of a stage has shown how fast it is; raised in a reporter. No component may take it for a fault."""


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
