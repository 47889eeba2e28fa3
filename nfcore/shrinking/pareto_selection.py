"""Selection of the smallest package within limits of loss, size and latency, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nfcore.config.schema import Choice
from nfcore.errors import NfcoreError
from nfcore.shrinking.quality import Score


@dataclass(frozen=True)
class Limits:
    """The limits of a package.

    Args:
        loss: maximum loss of PSNR against the photos, dB.
        bytes: maximum size, or None.
        seconds: maximum latency of one image, or None.

    """

    loss: float
    bytes: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Measured:
    """The measurements of one package.

    Args:
        choice: exporter and options.
        precision: the exporter's name of its precision.
        bytes: size of its files; 0 if there are none.
        score: the quality of its images; None if it was not run.
        refused: why it can't be chosen whatever the limits: it was not run, or exceeds its tolerance.
        seconds: median latency of one image, if there is a limit.
        bits: mean bits per weight, if layers have different bits.
        timed: whether its latency here is meaningful; see ``Runner``.

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
        """Its name in tables."""
        each = self.precision if self.bits is None else f"{self.bits:.2f} bits a weight, by layer"
        return f"{self.choice.name.rpartition('/')[2]}, {each}"

    def exceeded(self, limits: Limits) -> str | None:
        """Return the limit that it exceeds, in a few words, or None."""
        if self.score is None or self.refused:
            return self.refused or "it was not run"
        if self.score.loss > limits.loss:
            return f"it loses {self.score.loss:.3f} dB"
        if limits.bytes is not None and self.bytes > limits.bytes:
            return f"it has {megabytes(self.bytes)}"
        if limits.seconds is not None and (self.seconds is None or self.seconds > limits.seconds):
            return (
                "its latency can't be measured here"
                if self.seconds is None
                else f"it takes {1e3 * self.seconds:.1f} ms"
            )
        return None


def smallest(measured: Sequence[Measured], limits: Limits) -> Measured:
    """Return the smallest package within all limits; of equally small ones, the one with the least loss.

    Raises:
        NfcoreError: there is none; names the nearest ones and what they exceed.

    """
    fitting = [one for one in measured if one.exceeded(limits) is None]
    if not fitting:
        raise NfcoreError(_none(measured, limits))
    return min(fitting, key=lambda one: (one.bytes, one.score.loss if one.score else 0.0))


def _none(measured: Sequence[Measured], limits: Limits) -> str:
    wanted = [f"loses at most {limits.loss:g} dB"]
    wanted += [] if limits.bytes is None else [f"has at most {megabytes(limits.bytes)}"]
    wanted += [] if limits.seconds is None else [f"takes at most {1e3 * limits.seconds:g} ms"]
    usable = [one for one in measured if one.score is not None and not one.refused]
    if not usable:
        reasons = "; ".join(f"{one.label}: {one.refused}" for one in measured)
        return f"no package can be chosen: {reasons or 'none was made'}"
    nearest = {
        "the smallest": min(usable, key=lambda one: one.bytes),
        "the best": min(usable, key=lambda one: one.score.loss if one.score else 0.0),
    }
    described = [f"{which}, {one.label}, {_described(one)}" for which, one in nearest.items()]
    return f"no package {' and '.join(wanted)}: {'; '.join(described)}"


def _described(one: Measured) -> str:
    assert one.score is not None
    time = "" if one.seconds is None else f", takes {1e3 * one.seconds:.1f} ms"
    return f"has {megabytes(one.bytes)} and loses {one.score.loss:.3f} dB{time}"


def megabytes(size: int) -> str:
    """Return a size as text."""
    return f"{size / 1e6:.3g} MB"
