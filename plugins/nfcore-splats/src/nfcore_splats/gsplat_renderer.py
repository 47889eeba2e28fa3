"""Gaussians on CUDA with the package gsplat, where it is installed: rendering, and fits by its strategy.

Written from gsplat's documentation (1.4 and later). gsplat 1.5.3 was compiled and imported on an H200, but
nothing was rendered or fitted there; the tests use a stand-in.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import torch
from torch import Tensor

from nfcore import Budget, Cameras, Rendering, Reporter
from nfcore_splats.descent import Targets
from nfcore_splats.gaussians import Gaussians
from nfcore_splats.reference import BLUR, world_to_camera

# The reference code's step sizes; those of means are per unit of the scene's size and fall to a hundredth.
_RATES = {"means": 1.6e-4, "scales": 5e-3, "quats": 1e-3, "opacities": 5e-2, "sh0": 2.5e-3, "shN": 1.25e-4}
_REPORT_PERIOD = 10
#: Share of the budget in which Gaussians are added and removed.
_REFINED = 0.5


def usable(device: torch.device) -> bool:
    """Whether Gaussians on ``device`` are drawn by gsplat."""
    return device.type == "cuda" and importlib.util.find_spec("gsplat") is not None


def rendering(gaussians: Gaussians, cameras: Cameras, background: tuple[float, float, float]) -> Rendering:
    """Return all views, as ``Teacher.render_views`` does, on the Gaussians' device."""
    behind = torch.tensor(background, device=gaussians.means.device)
    parameters = _parameters(gaussians)
    views = [_view(parameters, camera, behind, gaussians.antialiased)[:3] for camera in cameras]
    shape = (len(cameras), cameras.height, cameras.width)
    if not views:
        empty = behind.new_zeros(shape)
        return Rendering(behind.new_zeros((*shape, 3)), empty, empty)
    image, opacity, depth = (torch.stack(column) for column in zip(*views, strict=True))
    return Rendering(image.clamp(0, 1), opacity.clamp(0, 1), torch.where(opacity > 0, depth, 0))


def fitted(
    gaussians: Gaussians,
    targets: Targets,
    background: Tensor,
    size: float,
    budget: Budget,
    reporter: Reporter,
    device: torch.device,
) -> Gaussians:
    """Return Gaussians fitted to ``targets`` by gsplat's default strategy, which adds and removes some.

    It saves no checkpoints: a fit that is interrupted starts again.
    """
    strategy = importlib.import_module("gsplat").DefaultStrategy(refine_stop_iter=budget.steps)
    parameters = torch.nn.ParameterDict(_parameters(gaussians)).to(device)
    optimizers = {
        name: torch.optim.Adam([parameters[name]], lr=rate * (size if name == "means" else 1), eps=1e-15)
        for name, rate in _RATES.items()
    }
    strategy.check_sanity(parameters, optimizers)
    state, behind = strategy.initialize_state(scene_scale=size), background.to(device)
    generator, clock, step = torch.Generator().manual_seed(budget.seed), budget.clock(), 0
    reporter.start(budget.steps)
    while (progress := clock.progress(step)) < 1:
        index = int(torch.randint(len(targets.cameras), (1,), generator=generator))
        image, opacity, _, info = _view(parameters, targets.cameras[index], behind, False)
        strategy.step_pre_backward(parameters, optimizers, state, step, info)
        squares = (image - targets.images[index].to(device)) ** 2
        if targets.masks is not None:
            squares = squares.masked_fill(targets.masks[index].to(device)[..., None], 0)
        loss = squares.mean()
        if targets.opacity is not None:
            loss = loss + 0.1 * ((opacity - targets.opacity[index].to(device)) ** 2).mean()
        loss.backward()
        optimizers["means"].param_groups[0]["lr"] = _RATES["means"] * size * 0.01**progress
        for optimizer in optimizers.values():
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if progress < _REFINED:  # by the clock too, where the budget is in seconds
            strategy.step_post_backward(parameters, optimizers, state, step, info, packed=False)
        step += 1
        if step % _REPORT_PERIOD == 0:
            reporter.step(step, psnr=-10 * squares.mean().log10().item())
    found = {name: tensor.detach().cpu() for name, tensor in parameters.items()}
    quaternions = torch.nn.functional.normalize(found["quats"], dim=1)
    harmonics = torch.cat([found["sh0"], found["shN"]], 1)
    return Gaussians(found["means"], found["scales"], quaternions, found["opacities"], harmonics)


def _parameters(gaussians: Gaussians) -> dict[str, Tensor]:
    """Return the tensors by the names that gsplat's strategies know."""
    return {
        "means": gaussians.means,
        "scales": gaussians.log_scales,
        "quats": gaussians.quaternions,
        "opacities": gaussians.opacity_logits,
        "sh0": gaussians.harmonics[:, :1],
        "shN": gaussians.harmonics[:, 1:],
    }


def _view(
    parameters: Any, camera: Cameras, background: Tensor, antialiased: bool
) -> tuple[Tensor, Tensor, Tensor, Any]:
    """Return image (h, w, 3), opacity and depth (h, w) of one camera, and what gsplat's strategies need."""
    fx, fy, cx, cy = camera.intrinsics[0].tolist()
    lens = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], device=background.device)
    here = camera.to("cpu")
    matrix = torch.cat([world_to_camera(here), torch.tensor([[0.0, 0, 0, 1]])]).to(background.device)
    harmonics = torch.cat([parameters["sh0"], parameters["shN"]], 1)
    drawn, opacity, info = importlib.import_module("gsplat").rasterization(
        means=parameters["means"],
        quats=parameters["quats"],
        scales=parameters["scales"].exp(),
        opacities=parameters["opacities"].sigmoid(),
        colors=harmonics,
        viewmats=matrix[None],
        Ks=lens[None],
        width=camera.width,
        height=camera.height,
        eps2d=BLUR,
        sh_degree=int(harmonics.shape[1] ** 0.5) - 1,
        packed=False,
        render_mode="RGB+ED",
        rasterize_mode="antialiased" if antialiased else "classic",
    )
    image = drawn[0, ..., :3] + (1 - opacity[0]) * background
    return image, opacity[0, ..., 0], drawn[0, ..., 3], info
