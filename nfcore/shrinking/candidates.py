"""Measures all candidates: each precision of each exporter, and mixed precisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from nfcore.config.schema import Choice
from nfcore.errors import UserError
from nfcore.interfaces import Exporter, SceneModel
from nfcore.interfaces.exporter import Takes
from nfcore.interfaces.reporting import Reporter
from nfcore.measuring.latency import TORCH, Latencies, measure_latency
from nfcore.measuring.pareto import quality_pareto
from nfcore.shrinking.bit_allocation import UNCOMPRESSED, BitAllocation, bit_allocations
from nfcore.shrinking.candidate_cache import CandidateCache
from nfcore.shrinking.pareto_selection import Limits, Measured
from nfcore.shrinking.path_search import furthest
from nfcore.shrinking.quality import expected_loss, squared_errors
from nfcore.shrinking.sensitivity import Sensitivities, Sensitivity, sensitivities
from nfcore.student.light_field import LightField

#: Maximum number of mixed-precision packages to export in search of the smallest.
_TRIES = 4
#: Views that the sensitivity of layers is measured on.
_SENSITIVITY_VIEWS = 4


def pareto(measured: Sequence[Measured]) -> list[Measured]:
    """Return the packages within their tolerance that are on the Pareto front of size and quality."""
    scored = [(one, one.score) for one in measured if one.score is not None and not one.refused]
    return [scored[index][0] for index in quality_pareto([(one.bytes, score.psnr) for one, score in scored])]


def measure_candidates(
    cache: CandidateCache,
    exporters: Sequence[str],
    limits: Limits,
    *,
    options: Mapping[str, Any] | None = None,
    threads: int = 1,
    reporter: Reporter | None = None,
) -> list[Measured]:
    """Return all candidates, each exported and run.

    These are all variants of all exporters, and, for exporters that take bits per layer, a few mixed-precision
    packages along the sequence of bit allocations by measured sensitivity, up to the allowed loss.

    Args:
        cache: exports and measures packages.
        exporters: their names.
        limits: the limits. Latency is measured only if it is limited, for packages within the other limits.
        options: options of all packages, such as the oldest system that must run them.
        threads: CPU threads for the latency.
        reporter: called for each package and layer.

    Raises:
        UserError: an unknown exporter, or an option that it does not take.

    """
    reporter = reporter or Reporter()
    fixed = dict(options or {})
    built = {name: cache.build(_choice(name, fixed)) for name in exporters}
    choices = [_choice(name, {**variant, **fixed}) for name, one in built.items() for variant in one.variants()]
    measured: list[Measured] = []
    reporter.start(len(choices), "package")
    for choice in choices:
        measured.append(cache.measure(choice))
        reporter.step(len(measured))
    for name, exporter in built.items():
        if exporter.bits and isinstance(cache.reference.model, LightField):
            measured += _mixed(cache, cache.reference.model, name, exporter, fixed, limits.loss, reporter)
    if limits.seconds is None:
        return measured
    return _timed(cache, measured, replace(limits, seconds=None), threads, reporter)


def _mixed(
    cache: CandidateCache,
    student: LightField,
    name: str,
    exporter: Exporter[Any],
    options: Mapping[str, Any],
    max_loss: float,
    reporter: Reporter,
) -> list[Measured]:
    """Return mixed-precision packages up to the allowed loss."""
    photos = len(cache.reference.cameras)
    views = {index * photos // _SENSITIVITY_VIEWS for index in range(_SENSITIVITY_VIEWS)}
    cameras = cache.reference.cameras[sorted(views)]
    layers = cache.remembered(
        "layers",
        _choice(name, options),
        Sensitivities,
        lambda: Sensitivities(sensitivities(student, exporter, cameras, reporter)),
    ).root
    path = bit_allocations(layers)
    base = _taking_bits(cache, name, exporter, options, path[-1].bits)
    reporter.start(_TRIES, "package")
    found: list[Measured] = []

    def measure(allocation: BitAllocation) -> Measured:
        bits = dict(allocation.bits)
        if UNCOMPRESSED in exporter.bits:  # name all layers: others may get fewer bits
            bits = dict.fromkeys(layers, UNCOMPRESSED) | bits
        choice = _choice(name, {**base, "bits": bits})
        measured = replace(cache.measure(choice), bits=_mean_bits(layers, allocation))
        found.append(measured)
        reporter.step(len(found))
        return measured

    loss = partial(expected_loss, squared_errors(cache.reference))
    return furthest(path, measure, loss, max_loss, _TRIES)


def _taking_bits(
    cache: CandidateCache, name: str, exporter: Exporter[Any], options: Mapping[str, Any], bits: Mapping[str, int]
) -> dict[str, Any]:
    """Return options with which the exporter takes bits per layer: its defaults, or else those of a variant."""
    for variant in ({}, *exporter.variants()):
        base = {**variant, **options}
        try:
            cache.build(_choice(name, {**base, "bits": dict(bits)}))
        except UserError:  # such as "bits only with precision int8"
            continue
        return base
    return dict(options)


def _mean_bits(layers: Mapping[str, Sensitivity], allocation: BitAllocation) -> float:
    total = sum(layer.weights for layer in layers.values())
    return sum(layer.weights * allocation.bits.get(name, UNCOMPRESSED) for name, layer in layers.items()) / total


def time_packages(
    cache: CandidateCache,
    measured: Sequence[Measured],
    threads: Sequence[int],
    seconds: float = 3.0,
    reporter: Reporter | None = None,
) -> Latencies:
    """Time packages in the same rounds; each is exported again, since the cache has figures only.

    Returns:
        Latencies labelled with the packages' indices as strings; none for packages that can't be timed here.

    """
    with ExitStack() as stack:
        packages = [
            stack.enter_context(cache.made(one.choice, str(index)))
            for index, one in enumerate(measured)
            if one.timed and one.score is not None
        ]
        models: dict[Takes, SceneModel] = {cache.reference.kind: cache.reference.model}
        return measure_latency(models, packages, threads=threads, seconds=seconds, reporter=reporter)


def _timed(
    cache: CandidateCache, measured: Sequence[Measured], limits: Limits, threads: int, reporter: Reporter
) -> list[Measured]:
    """Return the packages, with latencies for those within the other limits, timed in the same rounds."""
    wanted = [index for index, one in enumerate(measured) if one.timed and one.exceeded(limits) is None]
    if not wanted:
        return list(measured)
    latencies = time_packages(cache, [measured[index] for index in wanted], [threads], reporter=reporter)
    found = list(measured)
    for row in latencies.rows:
        if row.label not in TORCH.values():
            index = wanted[int(row.label)]
            found[index] = replace(found[index], seconds=row.timing.median)
    return found


def _choice(name: str, options: Mapping[str, Any]) -> Choice:
    return Choice.model_validate({**options, "name": name})
