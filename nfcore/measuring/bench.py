"""The benchmark of a run's exports: cost and quality of each, as rows of one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nfcore.config.schema import Choice
from nfcore.interfaces import SceneModel
from nfcore.interfaces.exporter import Takes
from nfcore.interfaces.reporting import Reporter
from nfcore.measuring.energy import EnergyMeter, metered
from nfcore.measuring.latency import TORCH, Latencies, Latency, measure_latency
from nfcore.measuring.memory import peak_memory
from nfcore.measuring.packages import Package
from nfcore.measuring.pages import PageSpeed, page_of, page_speed
from nfcore.measuring.pareto import quality_pareto

#: Bytes of a weight in the student's own file.
_FLOAT32 = 4


@dataclass(frozen=True)
class Quality:
    """Quality of an export's images, as far as measured, in dB.

    Args:
        photos: mean PSNR against photos that were not trained on.
        torch: PSNR against the same model in torch, or None where that was not measured (or is torch itself).

    """

    photos: float | None = None
    torch: float | None = None


@dataclass(frozen=True)
class Row:
    """One export at one number of threads; None means not measured.

    Args:
        label: the export's label, or the one of torch.
        threads: CPU threads.
        bytes: size of its files; of torch's, its weights in float32.
        milliseconds: one image, the median over the rounds.
        spread: its quartiles, milliseconds.
        rounds: how often it was timed.
        joules: energy of one image, of all that ran on the processor; None where the machine doesn't report it.
        share_of_peak: multiply-adds per second, as a fraction of a matrix product's on as many threads.
        memory: bytes that loading and running it adds to a process, at their peak.
        psnr: mean PSNR against the photos, dB.
        psnr_vs_torch: PSNR against the same model in torch, dB.
        note: the form in which it ran, or why it was not timed.

    """

    label: str
    threads: int | None
    bytes: int
    milliseconds: float | None = None
    spread: tuple[float, float] | None = None
    rounds: int = 0
    joules: float | None = None
    share_of_peak: float | None = None
    memory: int | None = None
    psnr: float | None = None
    psnr_vs_torch: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Bench:
    """The measurements of a run's exports, taken in the same rounds.

    Args:
        rows: torch first, then the exports in the order in which they were given.
        macs: multiply-adds of one image of the student; None where only a teacher's exports were measured.
        peak: floating-point operations per second of a matrix product, by number of threads.

    """

    rows: tuple[Row, ...]
    macs: int | None
    peak: Mapping[int, float]

    @property
    def pareto_by_size(self) -> list[str]:
        """Labels of the exports on the Pareto front of size and quality, smallest first."""
        found = {row.label: (row.bytes, row.psnr) for row in self.rows if row.psnr is not None}
        return [list(found)[index] for index in quality_pareto(list(found.values()))]

    @property
    def pareto_by_latency(self) -> list[tuple[str, int]]:
        """Label and threads of the rows on the Pareto front of latency and quality, fastest first."""
        found = {
            (row.label, row.threads): (row.milliseconds, row.psnr)
            for row in self.rows
            if row.psnr is not None and row.milliseconds is not None and row.threads is not None
        }
        return [list(found)[index] for index in quality_pareto(list(found.values()))]

    def as_data(self) -> dict[str, Any]:
        """Return all of it as JSON values; what was not measured is absent."""
        return {
            **({} if self.macs is None else {"macs": self.macs}),
            "peak_flops": {str(threads): round(rate) for threads, rate in self.peak.items()},
            "rows": [{key: value for key, value in asdict(row).items() if value is not None} for row in self.rows],
            "pareto": {
                "size": self.pareto_by_size,
                "latency": [{"label": label, "threads": threads} for label, threads in self.pareto_by_latency],
            },
        }


def bench(
    models: Mapping[Takes, SceneModel],
    packages: Sequence[Package],
    quality: Mapping[str, Quality],
    *,
    threads: Sequence[int],
    seconds: float = 3.0,
    memory: bool = True,
    files: Mapping[Takes, Path] | None = None,
    browser: str | None = None,
    reporter: Reporter | None = None,
) -> Bench:
    """Measure ``packages``, and the models that they were exported from in torch.

    Args:
        models: the exported models: the student, the teacher or both.
        packages: their exports.
        quality: the quality of their images, by label; the labels in ``TORCH`` are the models themselves.
        threads: numbers of CPU threads.
        seconds: approximate time spent on each, at each number of threads.
        memory: whether to measure peak memory too, each export in a process of its own.
        files: files from which that process loads the models; without, torch's memory is not measured.
        browser: path of Chromium, in which pages are timed; without, they are not.
        reporter: called for each round, then for each process and page.

    """
    reporter = reporter or Reporter()
    with metered() as meter:
        latencies = measure_latency(
            models, packages, threads=threads, seconds=seconds, reporter=reporter, meter=meter
        )
        speeds = _page_speeds(packages, browser, seconds, meter, reporter)
    held = _memory(models, packages, files or {}, latencies, max(threads), reporter) if memory else {}
    sizes = {TORCH[takes]: _FLOAT32 * _weights(model) for takes, model in models.items()}
    sizes |= {package.label: package.bytes for package in packages}
    rows = []
    for label, size in sizes.items():
        known = quality.get(label, Quality())
        if label in speeds:
            figures = _page_figures(speeds[label])
            rows.append(Row(label, None, size, psnr=known.photos, psnr_vs_torch=known.torch, **figures))
            continue
        for count in threads if label not in latencies.untimed else (None,):
            latency = None if count is None else latencies.of(label, count)
            rows.append(
                Row(
                    label,
                    count,
                    size,
                    memory=held.get(label),
                    psnr=known.photos,
                    psnr_vs_torch=known.torch,
                    **_figures(latency, latencies.untimed.get(label, "")),
                )
            )
    return Bench(tuple(rows), latencies.macs, latencies.peak)


def _figures(latency: Latency | None, reason: str) -> dict[str, Any]:
    if latency is None:
        return {"note": reason}
    low, high = latency.timing.quartiles
    return {
        "milliseconds": 1e3 * latency.timing.median,
        "spread": (1e3 * low, 1e3 * high),
        "rounds": len(latency.timing.seconds),
        "joules": latency.timing.joules,
        "share_of_peak": latency.share_of_peak,
        "note": latency.note,
    }


def _page_speeds(
    packages: Sequence[Package], browser: str | None, seconds: float, meter: EnergyMeter | None, reporter: Reporter
) -> dict[str, PageSpeed | str]:
    """Return by label how quickly each page among ``packages`` computes images in a browser, or why not."""
    pages = {package.label: page for package in packages if (page := page_of(package.folder)) is not None}
    if browser is None:
        return {}
    reporter.start(len(pages), "page")
    found = {}
    for label, page in pages.items():
        found[label] = page_speed(page, browser, seconds, meter)
        reporter.step(len(found))
    return found


def _page_figures(speed: PageSpeed | str) -> dict[str, Any]:
    if isinstance(speed, str):
        return {"note": speed}
    return {
        "milliseconds": 1e3 * speed.seconds / speed.images,
        "rounds": speed.images,
        "joules": None if speed.joules is None else speed.joules / speed.images,
        "note": f"{speed.images / speed.seconds:.3g} images a second in a browser: {speed.device}",
    }


def _weights(model: SceneModel) -> int:
    return sum(tensor.numel() for part in model.parts.values() for tensor in part.state_dict().values())


def _memory(
    models: Mapping[Takes, SceneModel],
    packages: Sequence[Package],
    files: Mapping[Takes, Path],
    latencies: Latencies,
    threads: int,
    reporter: Reporter,
) -> dict[str, int]:
    """Return the peak memory of torch and of each package that was timed, by label."""
    jobs: dict[str, tuple[Takes, Path, Choice | Takes]] = {
        **{TORCH[takes]: (takes, file, takes) for takes, file in files.items()},
        **{
            package.label: (package.takes, package.folder, package.choice)
            for package in packages
            if package.label not in latencies.untimed
        },
    }
    reporter.start(len(jobs), "process")
    held = {}
    for label, (takes, path, what) in jobs.items():
        held[label] = peak_memory(path, what, models[takes].cameras[0].to("cpu"), threads)
        reporter.step(len(held))
    return held
