"""What exports cost: interleaved times, the machine's peak, size and memory."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
import tiny
import tiny_sizes
import torch
from installed import source_folder
from tiny_sizes import package

from nfcore import NfcoreError
from nfcore.config.schema import Choice
from nfcore.measuring.latency import measure_latency
from nfcore.measuring.memory import peak_memory
from nfcore.measuring.packages import Package
from nfcore.measuring.peak import FLOATING_POINT_OPERATIONS, matrix_product
from nfcore.measuring.timing import Timing, interleaved, rounds_within

pytestmark = pytest.mark.slow


def test_each_round_runs_every_candidate_once_and_the_first_round_does_not_count():
    called: list[str] = []
    timings = interleaved({name: lambda name=name: called.append(name) for name in "abc"}, rounds=3)
    assert "".join(called) == "abc" * 4
    assert [len(timing.seconds) for timing in timings.values()] == [3, 3, 3]


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """A clock that only sleeping moves on."""
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0], sleep=lambda seconds: now.append(now.pop() + seconds))
    monkeypatch.setattr("nfcore.measuring.timing.time", clock)
    return clock


def test_the_time_of_a_candidate_is_its_own(clock):
    """Without the pause before it, and without what the others take."""
    timings = interleaved({"long": lambda: clock.sleep(3), "short": lambda: clock.sleep(0.5)}, rounds=3)
    assert timings["long"].seconds == pytest.approx((3, 3, 3))
    assert timings["short"].seconds == pytest.approx((0.5, 0.5, 0.5))


def test_spread_and_median_are_those_of_the_rounds():
    timing = Timing((5.0, 1.0, 2.0, 4.0, 3.0))
    assert (timing.median, timing.quartiles) == (3.0, (2.0, 4.0))
    assert Timing((2.0,)).quartiles == (2.0, 2.0)


def test_rounds_fill_the_time_that_is_given_within_bounds(clock):
    slow = {"a": lambda: clock.sleep(3), "b": lambda: clock.sleep(1)}
    assert rounds_within(slow, 20.1) == 10  # 40 s for both, 4 s a round
    assert rounds_within(slow, 1) == 5
    assert rounds_within(slow, 1000, most=50) == 50


def test_the_peak_is_that_of_a_real_product_on_the_threads_that_are_asked_for(monkeypatch):
    used = []
    multiply = torch.mm

    def watched(*given, **named):
        used.append(torch.get_num_threads())
        return multiply(*given, **named)

    monkeypatch.setattr(torch, "mm", watched)
    monkeypatch.setattr("nfcore.measuring.peak._SIDE", 64)
    product = matrix_product(2)()
    assert product.shape == (64, 64)
    assert product.mean() == pytest.approx(64 / 4, rel=0.05)  # of uniform numbers
    assert used == [2]
    assert torch.get_num_threads() == 1
    assert FLOATING_POINT_OPERATIONS == 2 * 2048**3


@pytest.fixture
def quick_peak(monkeypatch):
    """A matrix product that costs nothing."""
    monkeypatch.setattr("nfcore.measuring.peak._SIDE", 32)


def test_torch_and_each_export_are_timed_on_each_number_of_threads(tmp_path, quick_peak):
    packages = [package(tmp_path, "small", precision=4), package(tmp_path, "large")]
    found = measure_latency({"student": tiny.student()}, packages, threads=[1, 2], seconds=0.01)
    labels = [(row.label, row.threads) for row in found.rows]
    assert sorted(labels) == sorted(itertools.product(["torch", "small", "large"], [1, 2]))
    assert all(len(row.timing.seconds) >= 5 for row in found.rows)
    assert found.untimed == {}
    row = found.of("small", 2)
    assert row.share_of_peak == pytest.approx(2 * found.macs / row.timing.median / found.peak[2])
    assert found.of("torch", 1).note.startswith("eager, channels ")


def test_an_emulated_export_has_no_time_and_one_that_cannot_run_says_why(tmp_path, quick_peak, monkeypatch):
    emulated = package(tmp_path, "emulated", timed=False)
    elsewhere = package(tmp_path, "elsewhere")
    monkeypatch.setattr(elsewhere.exporter, "load", tiny.Copy(tiny.Copy.Options(runs_here=False)).load)
    found = measure_latency({"student": tiny.student()}, [emulated, elsewhere], threads=[1], seconds=0.01)
    assert [row.label for row in found.rows] == ["torch"]
    assert found.untimed["emulated"].startswith("not timed")
    assert found.untimed["elsewhere"] == "it takes a telephone"


def test_an_export_runs_on_the_threads_that_it_was_loaded_for(tmp_path, quick_peak, monkeypatch):
    one = package(tmp_path)
    loaded = []
    load = one.exporter.load

    def watched(folder, threads=None):
        loaded.append(threads)
        return load(folder, threads)

    monkeypatch.setattr(one.exporter, "load", watched)
    measure_latency({"student": tiny.student()}, [one], threads=[1, 2], seconds=0.01)
    assert loaded == [1, 2]


def test_torch_is_timed_in_the_memory_layout_that_is_quicker(monkeypatch, quick_peak):
    """Both layouts compute the same image; which is quicker, the machine says."""
    from nfcore.exports.deploy import DeployedLightField
    from nfcore.measuring.latency import _channels_last

    student = tiny.student(width=16).eval()
    camera = student.cameras[0]
    deployed = DeployedLightField(student)
    features = []
    last = _channels_last(DeployedLightField(student))
    last.image.register_forward_pre_hook(lambda module, given: features.append(given[0]))
    image = last(camera.poses, camera.intrinsics)
    assert torch.allclose(image, deployed(camera.poses, camera.intrinsics), atol=1e-6)
    assert features[0].is_contiguous(memory_format=torch.channels_last)


def test_the_size_of_a_package_is_that_of_all_its_files_without_what_the_core_writes_beside(tmp_path):
    one = package(tmp_path)
    before = one.bytes
    assert before == sum((one.folder / name).stat().st_size for name in (tiny_sizes.CODES, tiny_sizes.STUDENT))
    (one.folder / "README.md").write_text("x" * 10_000)
    assert one.bytes == before
    (one.folder / "weights.bin").write_bytes(b"x" * 10_000)  # beside a graph, as OpenVINO has them
    assert one.bytes == before + 10_000


def test_the_size_of_a_package_that_is_a_folder_is_that_of_all_files_in_it(tmp_path):
    (tmp_path / "a.mlpackage" / "Data").mkdir(parents=True)
    (tmp_path / "a.mlpackage" / "Manifest.json").write_bytes(b"x" * 7)
    (tmp_path / "a.mlpackage" / "Data" / "weight.bin").write_bytes(b"x" * 100)
    assert Package("a", Choice(name="packed"), None, tmp_path).bytes == 107


GREEDY = """
import time
from pathlib import Path
import torch
import nfcore

class Greedy(nfcore.Exporter):
    class Options(nfcore.Options):
        mebibytes: int = 1
    tolerance = nfcore.Tolerance(psnr=60)
    def export(self, student, folder):
        raise NotImplementedError
    def load(self, folder, threads=None):
        if not (folder / "file").exists():
            raise nfcore.UserError("no such file")
        assert torch.get_num_threads() == threads
        held = torch.ones(self.options.mebibytes << 18)
        return nfcore.Runner("greedy", lambda pose, intrinsics: held[:1] + pose.sum())

class Plugin:
    @staticmethod
    @nfcore.hookimpl
    def nfcore_components():
        yield nfcore.Component("exporter", "greedy", "greedy:Greedy", level=2)
"""


@pytest.fixture
def greedy(tmp_path, monkeypatch):
    """A plugin from source whose exporter, when it loads, takes as much memory as it is told."""
    source_folder(tmp_path / "plugins" / "greedy", "greedy", "greedy:Plugin", GREEDY)
    monkeypatch.setattr("nfcore.plugin.installed._folders", (tmp_path / "plugins",))
    monkeypatch.setenv("NFCORE_PLUGINS_ONLY", "greedy")
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "file").touch()
    return tmp_path / "export"


def test_peak_memory_is_what_loading_and_running_adds_to_a_process(greedy):
    camera = tiny.student().cameras[0]
    large = peak_memory(greedy, Choice(name="greedy", mebibytes=300), camera, threads=1)
    assert 300 << 20 <= large < 400 << 20


def test_a_process_that_fails_says_why(greedy):
    with pytest.raises(NfcoreError, match="no such file"):
        peak_memory(greedy / "nowhere", Choice(name="greedy"), tiny.student().cameras[0], threads=1)
