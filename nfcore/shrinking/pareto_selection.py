"""The choice: the smallest package within what it may lose, weigh and take; and if there is none, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nfcore.config.schema import Choice
from nfcore.errors import NfcoreError
from nfcore.shrinking.quality import Score


@dataclass(frozen=True)
class Limits:
    """What is asked of a package.

    Args:
        loss: greatest loss of PSNR against the photos, dB.
        bytes: greatest size, or None.
        seconds: greatest latency of one image, or None.

    """

    loss: float
    bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Measured:
    """One package that was exported and run.

    Args:
        choice: exporter and options.
        precision: the exporter's word for it.
        bytes: size of its files; 0 where there are none.
        score: its pictures; None where it was not run.
        refused: why it can't be chosen whatever the limits: it was not run, or it misses its tolerance.
        seconds: median latency of one image, where a limit asks for it.
        bits: mean bits per weight of layers, where each has its own.
        timed: whether its time here means something; see ``Runner``.

    """

    choice: Choice
    precision: str
    bytes: int
    score: Score | None = None
    refused: str | None = None
    seconds: float | None = None
    bits: float | None = None
    timed: bool = True

    @property
    def label(self) -> str:
        """What it is called in tables."""
        each = self.precision if self.bits is None else f"{self.bits:.2f} bits a weight, by layer"
        return f"{self.choice.name.rpartition('/')[2]}, {each}"

    def exceeded(self, limits: Limits) -> str | None:
        """Return in a few words what keeps it from being chosen, or None where nothing does."""
        if self.score is None or self.refused:
            return self.refused or "it was not run"
        if self.score.loss > limits.loss:
            return f"it loses {self.score.loss:.3f} dB"
        if limits.bytes is not None and self.bytes > limits.bytes:
            return f"it has {megabytes(self.bytes)}"
        if limits.seconds is not None and (self.seconds is None or self.seconds > limits.seconds):
            return (
                "its time can't be told here" if self.seconds is None else f"it takes {1e3 * self.seconds:.1f} ms"
            )
        return None


def smallest(measured: Sequence[Measured], limits: Limits) -> Measured:
    """Return the smallest package within all limits; of equally small ones, the one that loses least.

    Raises:
        NfcoreError: there is none; says what the nearest ones lack.

    """
    fitting = [one for one in measured if one.exceeded(limits) is None]
    if not fitting:
        raise NfcoreError(_none(measured, limits))
    return min(fitting, key=lambda one: (one.bytes, one.score.loss if one.score else 0.0))


def _none(measured: Sequence[Measured], limits: Limits) -> str:
    asked = [f"loses at most {limits.loss:g} dB"]
    asked += [] if limits.bytes is None else [f"has at most {megabytes(limits.bytes)}"]
    asked += [] if limits.seconds is None else [f"takes at most {1e3 * limits.seconds:g} ms"]
    usable = [one for one in measured if one.score is not None and not one.refused]
    if not usable:
        reasons = "; ".join(f"{one.label}: {one.refused}" for one in measured)
        return f"no package can be chosen: {reasons or 'none was made'}"
    nearest = {
        "the smallest": min(usable, key=lambda one: one.bytes),
        "the best": min(usable, key=lambda one: one.score.loss if one.score else 0.0),
    }
    described = [f"{which}, {one.label}, {_described(one)}" for which, one in nearest.items()]
    return f"no package {' and '.join(asked)}: {'; '.join(described)}"


def _described(one: Measured) -> str:
    assert one.score is not None
    time = "" if one.seconds is None else f", takes {1e3 * one.seconds:.1f} ms"
    return f"has {megabytes(one.bytes)} and loses {one.score.loss:.3f} dB{time}"


def megabytes(size: int) -> str:
    """Return a size for people."""
    return f"{size / 1e6:.3g} MB"
