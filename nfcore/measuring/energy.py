"""The energy that a processor uses, where the machine reports it: Linux powercap, or macOS's powermetrics."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

_POWERCAP = Path("/sys/class/powercap")
_POWERMETRICS = ("powermetrics", "--samplers", "cpu_power,gpu_power", "-i", "100")
_COMBINED = re.compile(r"Combined Power \(CPU \+ GPU \+ ANE\): (\d+) mW")


class EnergyMeter(Protocol):
    """Measures the energy of the whole processor, whatever runs on it."""

    @property
    def name(self) -> str:
        """What measures it."""

    def joules(self) -> float:
        """Return the joules since some time before; they never decrease."""

    def close(self) -> None:
        """End the measurement."""


def energy_meter(powercap: Path = _POWERCAP) -> EnergyMeter | None:
    """Return a meter, or None if this machine doesn't report energy, or not to this user.

    Linux has counters of Intel's and AMD's processors (RAPL), which most distributions let only root read. macOS
    has ``powermetrics``, also for root alone.

    Args:
        powercap: the folder of Linux's counters.

    """
    packages = [folder for folder in sorted(powercap.glob("intel-rapl:*")) if _is_package(folder)]
    if packages:
        return Powercap(packages)
    if sys.platform == "darwin" and os.geteuid() == 0 and shutil.which(_POWERMETRICS[0]):
        return PowerMetrics(_POWERMETRICS)
    return None


@contextmanager
def metered() -> Iterator[EnergyMeter | None]:
    """Yield this machine's meter, or None, and close it."""
    meter = energy_meter()
    try:
        yield meter
    finally:
        if meter is not None:
            meter.close()


class Powercap:
    """The counters of the processor packages, in microjoules, which start again at a maximum.

    Args:
        packages: the folder of each.

    """

    name = "Linux powercap (RAPL)"

    def __init__(self, packages: Sequence[Path]) -> None:
        self._ranges = {folder / "energy_uj": _number(folder / "max_energy_range_uj") for folder in packages}
        self._last = {file: _number(file) for file in self._ranges}
        self._sum = 0

    def joules(self) -> float:
        """Return the joules since the meter was made, of all packages."""
        for file, most in self._ranges.items():
            now = _number(file)
            self._sum += now - self._last[file] if now >= self._last[file] else now + most - self._last[file]
            self._last[file] = now
        return self._sum / 1e6

    def close(self) -> None:
        """Nothing is open."""


class PowerMetrics:
    """The power that ``powermetrics`` prints ten times a second, times the seconds that have passed.

    Args:
        command: prints lines such as ``Combined Power (CPU + GPU + ANE): 1234 mW``.

    """

    name = "macOS powermetrics"

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the system's own program
            list(command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        if self._process.stdout is not None:
            os.set_blocking(self._process.stdout.fileno(), False)
        self._text, self._watts, self._sum, self._before = "", 0.0, 0.0, time.monotonic()

    def joules(self) -> float:
        """Return the joules since the meter was made."""
        output = self._process.stdout.read() if self._process.stdout else None
        self._text += (output or b"").decode(errors="replace")
        if found := _COMBINED.findall(self._text):
            self._watts = sum(map(int, found)) / len(found) / 1000
            self._text = ""
        now = time.monotonic()
        self._sum += self._watts * (now - self._before)
        self._before = now
        return self._sum

    def close(self) -> None:
        """End the program."""
        self._process.terminate()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _is_package(folder: Path) -> bool:
    """Whether it is a whole processor's counter, and may be read; its parts are within it."""
    try:
        return (folder / "name").read_text().startswith("package") and _number(folder / "energy_uj") >= 0
    except (OSError, ValueError):
        return False


def _number(file: Path) -> int:
    return int(file.read_text())
