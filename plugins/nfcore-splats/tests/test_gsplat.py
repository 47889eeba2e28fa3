"""The way through gsplat, on a CPU: a stand-in takes what gsplat takes, and draws by our own reference."""

import sys
from types import ModuleType

import pytest
import torch
from splats import camera, random_gaussians
from torch.nn import functional as F

from nfcore import Budget, Cameras, Reporter
from nfcore_splats import gsplat_renderer, rasteriser, reference
from nfcore_splats.descent import Targets
from nfcore_splats.gaussians import Gaussians

BACKGROUND = torch.tensor([0.2, 0.5, 0.9])
NAMES = {"means", "scales", "quats", "opacities", "sh0", "shN"}


def rasterization(
    *, means, quats, scales, opacities, colors, viewmats, Ks, width,  # noqa: N803 - gsplat's name
    height, eps2d, sh_degree, packed,
    render_mode, rasterize_mode,
):  # fmt: skip
    """Colours and expected depth (1, h, w, 4), opacity (1, h, w, 1), and what strategies read."""
    assert (eps2d, packed, render_mode) == (reference.BLUR, False, "RGB+ED")
    assert colors.shape[1] == (sh_degree + 1) ** 2
    turn, move = viewmats[0, :3, :3], viewmats[0, :3, 3:]
    flipped = torch.tensor([1.0, -1, -1])[:, None] * turn
    pose = torch.cat([flipped.T, -turn.T @ move], 1)
    lens = torch.stack([Ks[0, 0, 0], Ks[0, 1, 1], Ks[0, 0, 2], Ks[0, 1, 2]])
    flat = means[None, :, :2] * 1
    gaussians = Gaussians(
        means, scales.log(), F.normalize(quats, dim=1), opacities.logit(), colors, rasterize_mode == "antialiased"
    )
    seen = Cameras(pose[None], lens[None], height, width)
    image, opacity, depth = reference.draw(gaussians, seen, torch.zeros(3))
    drawn = torch.cat([image + 0 * flat.sum(), depth[..., None]], 2)
    return drawn[None], opacity[None, ..., None], {"means2d": flat}


class DefaultStrategy:
    """Adds a Gaussian in each of its steps, as gsplat's adds many: parameters and moments are replaced."""

    def __init__(self, refine_stop_iter):
        self.steps = []
        type(self).made = self

    def check_sanity(self, parameters, optimizers):
        assert set(parameters) == set(optimizers) == NAMES

    def initialize_state(self, scene_scale):
        return {"scale": scene_scale}

    def step_pre_backward(self, parameters, optimizers, state, step, info):
        info["means2d"].retain_grad()

    def step_post_backward(self, parameters, optimizers, state, step, info, packed):
        assert info["means2d"].grad is not None
        self.steps.append(step)
        for name, optimizer in optimizers.items():
            old = parameters[name]
            new = torch.nn.Parameter(torch.cat([old, old[-1:]]).detach())
            moments = optimizer.state.pop(old)
            for key in ("exp_avg", "exp_avg_sq"):
                moments[key] = torch.cat([moments[key], torch.zeros_like(moments[key][-1:])])
            optimizer.param_groups[0]["params"], optimizer.state[new] = [new], moments
            parameters[name] = new


@pytest.fixture(autouse=True)
def gsplat(monkeypatch):
    module = ModuleType("gsplat")
    module.rasterization, module.DefaultStrategy = rasterization, DefaultStrategy
    monkeypatch.setitem(sys.modules, "gsplat", module)


@pytest.mark.parametrize("antialiased", [False, True])
def test_views_are_those_of_our_own_rasteriser(antialiased):
    gaussians = Gaussians.of_tensors(random_gaussians(40).tensors, antialiased)
    ours = rasteriser.rendering(gaussians, camera(20, 25), tuple(BACKGROUND.tolist()))
    theirs = gsplat_renderer.rendering(gaussians, camera(20, 25), tuple(BACKGROUND.tolist()))
    for what in ("rgb", "opacity", "depth"):
        torch.testing.assert_close(getattr(ours, what), getattr(theirs, what), atol=2e-3, rtol=2e-3)


def test_a_fit_comes_closer_and_adds_gaussians_in_the_first_half_of_its_budget():
    truth, view = random_gaussians(30), camera(20, 25)
    seen = rasteriser.rendering(truth, view, tuple(BACKGROUND.tolist()))
    begin = Gaussians.of_tensors(truth.tensors | {"harmonics": torch.zeros_like(truth.harmonics)})
    targets = Targets(view, seen.rgb, seen.opacity)
    budget, cpu = Budget(40), torch.device("cpu")
    found = gsplat_renderer.fitted(begin, targets, BACKGROUND, 1.0, budget, Reporter(), cpu)
    assert DefaultStrategy.made.steps == list(range(20))
    assert len(found) == len(begin) + 20
    error = [
        (rasteriser.rendering(each, view, tuple(BACKGROUND.tolist())).rgb - seen.rgb).square().mean()
        for each in (found, begin)
    ]
    assert error[0] < 0.9 * error[1]
