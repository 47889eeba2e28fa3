"""The fit from photos to polygons: another teacher, its surfaces, then their texels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from nfcore import (
    Budget,
    Cameras,
    ForwardingReporter,
    RaySource,
    Reporter,
    Scene,
    Teacher,
    UserError,
    Views,
    plugins,
)
from nfcore.io import State
from nfcore_mobilenerf.drawing import draw_polygons, features_in_bytes
from nfcore_mobilenerf.mesh import Quads, quads_of
from nfcore_mobilenerf.options import PolygonOptions
from nfcore_mobilenerf.pixels import Pixels, pixels_of, share_in_memory
from nfcore_mobilenerf.polygons import FEATURES, Polygons, check_size, texels_of
from nfcore_mobilenerf.rasterizer import Triangles, prepared
from nfcore_mobilenerf.texel_fit import BOTH, FROZEN, HARD, SOFT, Kind, Texels, first_texels, step, step_scale

#: Kinds of opacities and the share of the texels' fit at which each ends.
_STAGES: tuple[tuple[Kind, float], ...] = ((SOFT, 0.2), (BOTH, 0.4), (HARD, 0.5), (FROZEN, 1.0))
#: Steps between reports, memory of the reported error, longer side of a preview in pixels.
_REPORT, _MEMORY, _PREVIEW = 10, 0.95, 200
#: Photos larger than that show no more of a grid that is at its finest.
_MOST_CELLS = 256


class _FieldReporter(ForwardingReporter):
    """Reports the other teacher's fit as a part of ours, whose checkpoints contain its own."""

    def __init__(self, reporter: Reporter, state: State | None) -> None:
        super().__init__(reporter)
        self.state = state

    def start(self, total: int, unit: str = "step") -> None:
        pass  # the whole fit has announced itself

    def restore(self) -> State | None:
        return self.state

    def checkpoint(self, step: int, state: Callable[[], State]) -> None:
        super().checkpoint(step, lambda: {"field": state()})


def fit_polygons(
    options: PolygonOptions,
    scene: Scene,
    source: RaySource,
    budget: Budget,
    reporter: Reporter,
    device: torch.device,
) -> Polygons:
    """Return polygons that were fitted to the training views of ``source``.

    Raises:
        UserError: the other teacher is no volume or has no surface, or the texels don't fit into a texture.
        PluginError: the other teacher is not installed.

    """
    reporter.start(budget.steps)
    state = reporter.restore()
    first, rest = _shared(budget, options.field_share)
    prepared(reporter.note)
    fit = _TexelFit(source.views("train"), scene, rest, options)
    if state is not None and "texels" in state:
        fit.resume(state)
    else:
        field = _fitted_field(
            options, scene, source, first, _FieldReporter(reporter, (state or {}).get("field")), device
        )
        fit.start(field, source)
    fit.run(reporter, first.steps)
    return fit.polygons()


def _shared(budget: Budget, share: float) -> tuple[Budget, Budget]:
    """Return the budgets of the other teacher and of the texels."""
    first = min(budget.steps, max(1, round(share * budget.steps)))
    seconds = [None if budget.seconds is None else part * budget.seconds for part in (share, 1 - share)]
    return (
        replace(budget, steps=first, seconds=seconds[0]),
        replace(budget, steps=budget.steps - first, seconds=seconds[1]),
    )


def _fitted_field(
    options: PolygonOptions,
    scene: Scene,
    source: RaySource,
    budget: Budget,
    reporter: Reporter,
    device: torch.device,
) -> Teacher:
    field: Teacher = plugins().build("teacher", options.field, options.field_options, scene)
    field.to(device).train()
    field.fit(source, budget, reporter)
    return field.eval()


def rendered(field: Teacher, cameras: Cameras) -> Views:
    """Return what a fitted ``field`` shows at ``cameras``."""
    found = []
    for camera in cameras.to(next(field.parameters()).device):
        seen = field.render_views(camera)
        # In half precision: as exact as photos, and half as large.
        found.append((seen.rgb[0].clamp(0, 1).half().cpu(), seen.opacity[0].half().cpu()))
    return _views(cameras, torch.stack([rgb for rgb, _ in found]), torch.stack([alpha for _, alpha in found]))


def _views(cameras: Cameras, images: Tensor, alpha: Tensor) -> Views:
    return Views(cameras, images, alpha, tuple(f"pseudo view {i}" for i in range(len(images))))


def _tensors(views: Views) -> list[Tensor]:
    assert isinstance(views.images, Tensor)
    assert isinstance(views.alpha, Tensor)
    return [views.cameras.poses, views.cameras.intrinsics, views.images, views.alpha]


class _TexelFit:
    """The fit of the texels of polygons that stay where they are.

    Args:
        views: the photos.
        scene: its bounds and background.
        budget: steps, seconds and seed.
        options: the teacher's.

    """

    quads: Quads
    per_side: int
    texels: Texels
    pixels: Pixels
    pseudo: Views | None = None

    def __init__(self, views: Views, scene: Scene, budget: Budget, options: PolygonOptions) -> None:
        self.views, self.scene, self.budget, self.options = views.to("cpu"), scene, budget, options
        self.generator = torch.Generator().manual_seed(budget.seed)
        self.background = torch.tensor(scene.background)
        self.steps, self.spent, self.error = 0, 0.0, 1.0
        self.frozen = False

    def start(self, field: Teacher, source: RaySource) -> None:
        """Take the surfaces of ``field`` that images show: the photos, and what the field shows elsewhere."""
        size = max(self.views.cameras.height, self.views.cameras.width)
        cells = self.options.cells or min(_MOST_CELLS, max(8, round(9 * math.sqrt(size))))
        self.per_side = self.options.texels or max(2, round(1.5 * size / cells))
        if self.options.pseudo_views:
            cameras = source.sample_cameras(self.options.pseudo_views, self.generator)
            self.pseudo = rendered(field, cameras)
        self.quads = quads_of(field, cells, self.options.levels)
        self.look()
        found = len(self.quads)
        self.keep(self._seen())
        if not len(self.quads):
            raise UserError(
                f"no photo shows any of the field's {found} polygons: fit the field for more steps, and check "
                "that the cameras see the scene's bounds"
            )
        check_size(len(self.quads), self.per_side, cells)
        self.look()
        self.texels = first_texels(len(self.quads) * self.per_side**2, self.pixels, self.generator)

    def look(self) -> None:
        """Look up the texels behind the images' pixels; of frozen polygons only the nearest that are there."""
        seed = torch.Generator().manual_seed(self.budget.seed)  # the same pixels after an interruption
        opaque = self.texels.table[:-1, FEATURES] > 0 if self.frozen else None
        layers = 1 if self.frozen else self.options.layers
        triangles = Triangles.of_quads(self.quads, self.per_side)
        images = [views for views in (self.views, self.pseudo) if views is not None]
        size = self.views.cameras.height * self.views.cameras.width
        share = share_in_memory(sum(map(len, images)) * size, layers)
        parts = [pixels_of(views, triangles, layers, opaque, self.background, share, seed) for views in images]
        self.pixels = Pixels.together(parts)

    def _seen(self) -> Tensor:
        """Return which quads (q,) some pixel shows."""
        seen = torch.zeros(len(self.quads) * self.per_side**2 + 1, dtype=torch.bool)
        seen[self.pixels.texels.flatten().long()] = True
        return seen[:-1].view(len(self.quads), -1).any(1)

    def keep(self, quads: Tensor) -> None:
        """Keep only some of the ``quads`` (q,) bool."""
        index = quads.nonzero()[:, 0]
        self.quads = self.quads.chosen(index)
        if hasattr(self, "texels"):
            self.texels = self.texels.chosen(texels_of(index, self.per_side))

    def freeze(self) -> None:
        """Make opacities binary for good, and keep what photos show of the polygons."""
        self.frozen = True
        self.look()
        self.keep(self._seen())
        self.look()

    def run(self, reporter: Reporter, before: int) -> None:
        """Take all steps that are left; ``before`` were taken by the other teacher."""
        clock = self.budget.clock(self.spent)
        while (progress := clock.progress(self.steps)) < 1 and len(self.pixels):
            kind = next(kind for kind, end in _STAGES if progress < end)
            if kind is FROZEN and not self.frozen:
                self.freeze()
                continue
            batch = torch.randint(len(self.pixels), (self.options.pixels_per_step,), generator=self.generator)
            scale = step_scale(progress, self.steps)
            error = step(self.texels, self.pixels, batch, kind, self.background, scale)
            self.error = error if self.steps == 0 else _MEMORY * self.error + (1 - _MEMORY) * error
            self.steps += 1
            self.spent = clock.spent
            if self.steps % _REPORT == 0:
                reporter.step(before + self.steps, psnr=self.psnr)
            if reporter.image_due():
                reporter.image("teacher", self.preview())
            reporter.checkpoint(before + self.steps, self.state)
        if not self.frozen:
            self.freeze()
        reporter.step(before + self.steps, psnr=self.psnr)

    @property
    def psnr(self) -> float:
        """Smoothed PSNR of the images, dB."""
        error = (self.error * len(self.pixels) + self.pixels.missed) / max(1, self.pixels.total)
        return -10 * math.log10(max(error, 1e-10))

    def polygons(self) -> Polygons:
        """Return the polygons as they are."""
        table = self.texels.table[:-1]
        layers = tuple((weight.clone(), bias.clone()) for weight, bias in self.texels.layers)
        features = features_in_bytes(table[:, :FEATURES])
        return Polygons(self.quads, self.per_side, features, table[:, FEATURES] > 0, layers)

    def preview(self) -> Tensor:
        """Return the first training view as the polygons show it, (height, width, 3)."""
        camera = self.views.cameras[0].shrunk(_PREVIEW)
        return draw_polygons(self.polygons(), camera, self.scene.background).rgb

    def state(self) -> State:
        """Return all that ``resume`` needs."""
        return {
            "texels": self.texels.state(),
            "vertices": self.quads.vertices,
            "corners": self.quads.corners,
            "per_side": self.per_side,
            "pseudo": None if self.pseudo is None else _tensors(self.pseudo),
            "frozen": self.frozen,
            "steps": self.steps,
            "spent": self.spent,
            "error": self.error,
            "generator": self.generator.get_state(),
        }

    def resume(self, state: State) -> None:
        """Continue from ``state``."""
        self.texels = Texels.of_state(state["texels"])
        self.quads = Quads(state["vertices"], state["corners"])
        self.per_side, self.frozen = state["per_side"], state["frozen"]
        if state["pseudo"] is not None:
            poses, intrinsics, images, alpha = state["pseudo"]
            self.pseudo = _views(Cameras(poses, intrinsics, *images.shape[1:3]), images, alpha)
        self.steps, self.spent, self.error = state["steps"], state["spent"], state["error"]
        self.generator.set_state(state["generator"])
        self.look()
