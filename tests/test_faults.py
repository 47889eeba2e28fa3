"""A plugin that breaks its contract is named by ``nfcore run``: distribution, name, version and rule.

Each case is the tiny plugin with one component that is wrong in one way, run from source.
"""

from __future__ import annotations

import pytest
from installed import source_folder

pytestmark = pytest.mark.slow

PLUGIN = """
import nfcore


@nfcore.hookimpl
def nfcore_components():
    yield nfcore.Component("{kind}", "{name}", "{module}_parts:Faulty", level=nfcore_level("{kind}"))


def nfcore_level(kind):
    from nfcore.plugin.components import INTERFACE_LEVELS

    return INTERFACE_LEVELS[kind]
"""

HEAD = """
import dataclasses

import tiny
import torch

import nfcore
"""

NAN_FEATURES = """
class Faulty(tiny.Directions):
    def forward(self, origins, directions):
        features = super().forward(origins, directions).clone()
        features[:, 0, 0, 0] = float("nan")
        return features
"""
WRONG_CHANNELS = """
class Faulty(tiny.Directions):
    channels = 4
"""
DOUBLE_FEATURES = """
class Faulty(tiny.Directions):
    def forward(self, origins, directions):
        return super().forward(origins, directions).double()
"""
NOISY = """
class Faulty(tiny.Directions):
    def forward(self, origins, directions):
        features = super().forward(origins, directions)
        return features + 0.1 * torch.rand_like(features)
"""
RAISES = """
class Faulty(tiny.Mixing):
    def forward(self, features):
        return self.layers(features) @ torch.zeros(1000, 1)
"""
OTHER_GRID = """
class Faulty(tiny.Mixing):
    def forward(self, features):
        return super().forward(features)[:, :, 1:]
"""
INFINITE_GRADIENT = """
class Faulty(tiny.Mixing):
    def forward(self, features):
        return torch.sqrt(0 * super().forward(features))
"""
BYTES = """
class Faulty(tiny.Shuffle):
    def forward(self, features):
        return 255 * super().forward(features)
"""
PHOTOS_255 = """
class Faulty(tiny.Ring):
    def views(self, split):
        views = super().views(split)
        return dataclasses.replace(views, images=255 * views.images)
"""
ONE_NAME = """
class Faulty(tiny.Ring):
    def views(self, split):
        views = super().views(split)
        return dataclasses.replace(views, names=("photo",) * len(views.names))
"""
NO_CAMERA = """
class Faulty(tiny.Ring):
    def sample_cameras(self, n, generator):
        cameras = super().sample_cameras(n, generator)
        return dataclasses.replace(cameras, poses=cameras.poses / 0)
"""
FIT_RAISES = """
class Faulty(tiny.Sky):
    def fit(self, source, budget, reporter):
        raise ZeroDivisionError("no luck")
"""
FLAT_COLOURS = """
class Faulty(tiny.Sky):
    def render(self, rays):
        seen = super().render(rays)
        return dataclasses.replace(seen, rgb=seen.rgb[:, 0])
"""
NAN_LATER = """
class Faulty(tiny.Sky):
    calls = 0

    def render(self, rays):
        Faulty.calls += 1
        seen = super().render(rays)
        return dataclasses.replace(seen, rgb=seen.rgb / 0 * 0) if Faulty.calls > 6 else seen
"""
EXPORTS_NONE = """
class Faulty(tiny.Copy):
    def export(self, student, folder):
        super().export(student, folder)
"""
LOADS_NONE = """
class Faulty(tiny.Copy):
    def load(self, folder, threads=None):
        return None
"""
CANT_BE_BUILT = """
class Faulty(tiny.Copy):
    def __init__(self, options):
        raise ImportError("no libfaulty.so")
"""

BEFORE_TEACHING = {
    "an encoding with a NaN": ("encoding", NAN_FEATURES, "encoding.finite"),
    "an encoding with other channels than it says": ("encoding", WRONG_CHANNELS, "encoding.shape"),
    "an encoding in float64": ("encoding", DOUBLE_FEATURES, "encoding.dtype"),
    "an encoding that is noisy in eval mode": ("encoding", NOISY, "part.repeatable"),
    "a backbone that raises": ("backbone", RAISES, "RuntimeError"),
    "a backbone that changes the grid": ("backbone", OTHER_GRID, "backbone.shape"),
    "a backbone with an infinite gradient": ("backbone", INFINITE_GRADIENT, "network.gradients"),
    "an upsampler in 0..255": ("upsampler", BYTES, "upsampler.range"),
    "photos in 0..255": ("ray_source", PHOTOS_255, "ray_source.image-range"),
    "photos of one name": ("ray_source", ONE_NAME, "ray_source.names"),
    "novel cameras nowhere": ("ray_source", NO_CAMERA, "ray_source.novel-cameras"),
    "an exporter that can't be built": ("exporter", CANT_BE_BUILT, "no libfaulty.so"),
}
LATER = {
    "a teacher that raises": ("teacher", FIT_RAISES, "ZeroDivisionError"),
    "a teacher with colours of a wrong shape": ("teacher", FLAT_COLOURS, "teacher.shape"),
    "a teacher that renders NaN after a while": ("teacher", NAN_LATER, "teacher.finite"),
    "an exporter that returns None": ("exporter", EXPORTS_NONE, "exporter.exported"),
    "an exporter that loads nothing": ("exporter", LOADS_NONE, "exporter.runner"),
}
SETTING = {
    "ray_source": "scene",
    "teacher": "teacher.name",
    "exporter": "export.exact.name",
    "encoding": "student.encoding",
    "backbone": "student.backbone.name",
    "upsampler": "student.upsampler",
}


@pytest.fixture
def run_with(command, tmp_path, request):
    """Run the tiny recipe with one component that is ``code``."""

    def run(kind: str, code: str):
        module = "faulty_" + request.node.callspec.id.replace(" ", "_").replace(".", "_").replace("'", "_")
        source_folder(tmp_path / "tiny", "tiny-dist", "tiny_in_a_folder")
        plugin = PLUGIN.format(kind=kind, name="faulty", module=module)
        faulty = source_folder(tmp_path / "faulty", "faulty-dist", module, plugin)
        (faulty / f"{module}_parts.py").write_text(HEAD + code)
        changes = [f"--set={SETTING[kind]}=faulty", "--set=distill.background=false"]
        return command("--plugins-dir", tmp_path, "run", "tiny", *changes, "--quiet", cwd=tmp_path)

    return run


def assert_named(done, kind: str, said: str) -> None:
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    for part in (f"{kind} faulty-dist/faulty 1", said):
        assert part in done.stderr


@pytest.mark.parametrize(("kind", "code", "said"), BEFORE_TEACHING.values(), ids=BEFORE_TEACHING)
def test_a_fault_that_can_be_seen_early_is_named_before_the_run_is_made(run_with, tmp_path, kind, code, said):
    done = run_with(kind, code)
    assert_named(done, kind, said)
    assert done.returncode == 2
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("kind", "code", "said"), LATER.values(), ids=LATER)
def test_a_fault_that_shows_later_is_named_where_it_happens(run_with, kind, code, said):
    assert_named(run_with(kind, code), kind, said)
