"""Fine-tuning of the network on baked voxels: it learns to make up for what rounding took (SNeRG, section 4.4)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from nfcore import Budget, Reporter, Views
from nfcore.io import State
from nfcore.runtime import eager_optimizer
from nfcore_snerg.network import shade
from nfcore_snerg.pixels import PixelBatches
from nfcore_snerg.rendering import Renderer
from nfcore_snerg.visibility import visible

#: Pixels whose sums are kept, of a step, and rendered at once.
_KEPT, _BATCH, _CHUNK = 1_000_000, 16_384, 1 << 15
#: Adam's first step size, and its last as a share of it.
_RATE, _FINAL_RATE = 2e-3, 0.05
_REPORT_PERIOD = 10


def finetune(renderer: Renderer, views: Views, budget: Budget, reporter: Reporter) -> None:
    """Fit the network, and it alone, to what voxels sum up to along the rays of some pixels.

    Args:
        renderer: its table is what the files will hold; its network changes.
        views: the photos, on the CPU.
        budget: steps of 16,384 pixels, which take little time.
        reporter: receives progress and checkpoints.

    """
    generator = torch.Generator().manual_seed(budget.seed)
    batches = PixelBatches(views, visible(renderer, views.cameras)[1], generator)
    sums, directions, colours = _summed(renderer, batches)
    network = renderer.network
    optimizer = eager_optimizer(torch.optim.Adam)([network.weights], lr=_RATE)
    step, spent = 0, 0.0
    if (state := reporter.restore()) is not None:
        step, spent = state["step"], state["spent"]
        with torch.no_grad():
            network.weights.copy_(state["weights"])
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
        generator.set_state(state["generator"])
    clock = budget.clock(spent)
    while len(sums) and (progress := clock.progress(step)) < 1:
        chosen = torch.randint(len(sums), (min(_BATCH, len(sums)),), generator=generator)
        optimizer.param_groups[0]["lr"] = _RATE * _FINAL_RATE**progress
        rgb = shade(network, sums[chosen], directions[chosen], renderer.background)
        error = F.mse_loss(rgb, colours[chosen])
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        step += 1
        if step % _REPORT_PERIOD == 0:
            reporter.step(step, psnr=-10 * math.log10(max(error.item(), 1e-10)))

        def checkpoint(done: int = step) -> State:
            return {
                "step": done, "spent": clock.spent, "weights": network.weights.detach(),
                "optimizer": optimizer.state_dict()["state"], "generator": generator.get_state(),
            }  # fmt: skip

        reporter.checkpoint(step, checkpoint)
    network.zero_grad(set_to_none=True)


def _summed(renderer: Renderer, batches: PixelBatches) -> tuple[Tensor, Tensor, Tensor]:
    """Return sums (m, 8), unit directions (m, 3) and colours (m, 3) of pixels that show something."""
    sums, directions, colours = [], [], []
    for _ in range(math.ceil(min(_KEPT, len(batches)) / _CHUNK)):
        pixels = batches.draw(_CHUNK)
        seen = renderer.render(pixels.rays).sums
        shown = (seen[:, 0] > 0).nonzero()[:, 0]
        sums.append(seen[shown])
        directions.append(F.normalize(pixels.rays.directions[shown], dim=1))
        colours.append(pixels.colours[shown])
    if not sums:
        return torch.zeros(0, 8), torch.zeros(0, 3), torch.zeros(0, 3)
    return torch.cat(sums), torch.cat(directions), torch.cat(colours)
