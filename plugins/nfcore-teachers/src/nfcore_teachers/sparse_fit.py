"""How a sparse voxel field is fitted: by kernels where they run, by torch elsewhere."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor

from nfcore import Budget, RaySource, Reporter, Teacher
from nfcore.kernels import Unavailable, thread_count
from nfcore.runtime import device_of, single_thread
from nfcore_teachers.descent import Autograd, Descent, Fused
from nfcore_teachers.fused_field import FusedField
from nfcore_teachers.marched_fit import MarchedFit
from nfcore_teachers.resolution import affordable_resolution
from nfcore_teachers.row_adam import RowAdam
from nfcore_teachers.sparse_field import SparseField

#: Pixels are drawn in squares of 2 x 2: a third more samples in a second than single ones.
BLOCK = 2
#: Cells whose roughness is asked for in one step.
ROUGHNESS_CELLS = 10_000
#: Samples in a step, as a rule, and where the world is contracted or there is CUDA: an H200 takes 132 steps a
#: second with few and 98 with many. Lego at 800 pixels has 28.1 and 31.3 dB there after a minute.
SAMPLES_PER_STEP, SAMPLES_PER_LONG_STEP = 60_000, 240_000
#: Bounds of a raw density: those that kernels tell apart.
LOWEST, HIGHEST = -1.9, 1.9
#: What the squared error of opacities counts in the loss, where photos have alpha: 0.37 dB on lego in 700 steps.
ALPHA_WEIGHT = 0.1
#: The same where photos have none and no box ends the scene, so that all should be opaque. Without it the beer
#: can's floor and fern's walls were a haze before the background: opacities of 0.77 and 0.86, now 0.96 and 0.99.
#: It costs the beer can 0.3 dB; a weight of 0.1 would cost 1.0.
OPAQUE_WEIGHT = 0.01
#: Adam's step size for values, as a share of that for density.
VALUE_RATE = 0.5


def fit_field(teacher: Teacher, field: SparseField, source: RaySource, budget: Budget, reporter: Reporter) -> None:
    """Fit the ``field`` of ``teacher``, from the start, to the training views of ``source``."""
    views, options = source.views("train"), field.options
    size = max(views.cameras.height, views.cameras.width)
    generator = torch.Generator().manual_seed(budget.seed)
    field.begin(options.resolution or affordable_resolution(size, budget, field.contracted), generator)
    fused, parts = field.fused(reporter), thread_count()
    if isinstance(fused, Unavailable):
        reporter.note(fused.reason)
    opaque = views.alpha is None and not field.boxed
    samples = options.samples_per_step or samples_of_a_step(field.contracted, device_of(teacher))
    # Torch's idle threads would wait for work on the cores that kernels need.
    with single_thread() if isinstance(fused, FusedField) else contextlib.nullcontext():
        MarchedFit(
            teacher,
            field,
            views,
            budget,
            generator,
            samples,
            options.prune_threshold,
            lambda: descent(field, parts, OPAQUE_WEIGHT if opaque else ALPHA_WEIGHT),
            BLOCK,
            parts if isinstance(fused, FusedField) else 1,
            opaque,
        ).run(reporter)
    fused = field.fused()
    if isinstance(fused, FusedField):
        fused.fit_threads = None


def samples_of_a_step(contracted: bool, device: torch.device) -> int:
    """Return how many samples a step takes by default."""
    return SAMPLES_PER_LONG_STEP if contracted or device.type == "cuda" else SAMPLES_PER_STEP


def descent(field: SparseField, parts: int, alpha_weight: float = ALPHA_WEIGHT) -> Descent:
    """Return how the parameters of now are optimised: by kernels on ``parts`` threads where they run."""
    options, values, shading = field.options, field.options.values, field.shading
    optimizer = RowAdam(
        field.grid.table,
        (1.0, *[VALUE_RATE] * values),
        ((LOWEST, *[shading.lowest] * values), (HIGHEST, *[shading.highest] * values)),
        [
            {"params": [field.grid.table], "lr": options.learning_rate},
            {"params": list(field.network.parameters()), "lr": options.network_learning_rate},
        ],
    )

    def roughness(generator: torch.Generator) -> Tensor:
        differences = field.grid.roughness(ROUGHNESS_CELLS, generator)
        cost: Tensor = options.density_smoothness * differences[0]
        values: Tensor = options.value_smoothness * differences[1:].sum()
        return cost + values

    # Photos all around a box see all of it; of all the rest much is seen by few photos, or by none.
    fused = field.fused()
    if isinstance(fused, Unavailable):
        return Autograd(field, optimizer, shading.render, None if field.boxed else roughness, alpha_weight)
    fused.fit_threads = parts
    costs = None if field.boxed else (ROUGHNESS_CELLS, options.density_smoothness, options.value_smoothness)
    return Fused(fused, optimizer, costs, alpha_weight, parts)
