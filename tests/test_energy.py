"""The energy of images, from counters such as Linux's, in a folder that looks like them; and absent elsewhere."""

from __future__ import annotations

import os
import sys

import pytest

from nfcore.measuring.energy import Powercap, PowerMetrics, energy_meter
from nfcore.measuring.timing import interleaved


@pytest.fixture
def powercap(tmp_path):
    """Counters of two packages, and of a part of the first."""

    def write(package, **files):
        (tmp_path / package).mkdir(exist_ok=True)
        for file, content in files.items():
            (tmp_path / package / file).write_text(f"{content}\n")

    write("intel-rapl:0", name="package-0", energy_uj=5_000_000, max_energy_range_uj=10_000_000)
    write("intel-rapl:0:0", name="core", energy_uj=1, max_energy_range_uj=10_000_000)
    write("intel-rapl:1", name="package-1", energy_uj=9_000_000, max_energy_range_uj=10_000_000)
    return tmp_path, write


def test_packages_are_summed_and_a_counter_that_starts_again_goes_on(powercap):
    folder, write = powercap
    meter = energy_meter(folder)
    assert isinstance(meter, Powercap)
    assert meter.joules() == 0
    write("intel-rapl:0", energy_uj=6_500_000)
    write("intel-rapl:1", energy_uj=1_000_000)
    assert meter.joules() == pytest.approx(1.5 + 2.0)
    write("intel-rapl:0", energy_uj=7_000_000)
    assert meter.joules() == pytest.approx(4.0)


def test_an_image_s_energy_is_what_its_rounds_took_but_the_first(powercap):
    folder, write = powercap
    taken = [5_000_000]

    def image():
        taken[0] += 250_000
        write("intel-rapl:0", energy_uj=taken[0])

    timings = interleaved({"image": image, "idle": lambda: None}, rounds=4, meter=energy_meter(folder))
    assert timings["image"].joules == pytest.approx(0.25)
    assert timings["idle"].joules == pytest.approx(0)
    assert interleaved({"image": image}, rounds=2)["image"].joules is None


@pytest.mark.skipif(sys.platform == "darwin", reason="root may ask powermetrics there")
def test_a_machine_that_does_not_tell_has_no_meter(powercap, tmp_path):
    folder, write = powercap
    for package in (0, 1):
        write(f"intel-rapl:{package}", energy_uj="")
    assert energy_meter(folder) is None
    assert energy_meter(tmp_path / "nothing") is None


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="macOS's program, as a script")
def test_powermetrics_mean_power_times_the_time_is_energy(tmp_path):
    lines = "'Combined Power (CPU + GPU + ANE): 4000 mW\\nCombined Power (CPU + GPU + ANE): 6000 mW\\n'"
    meter = PowerMetrics(["sh", "-c", f"printf {lines}; sleep 60"])
    try:
        first = meter.joules()
        while meter.joules() == first:  # until it has said something
            pass
        begun, before = meter.joules(), meter._before
        assert meter.joules() - begun == pytest.approx(5.0 * (meter._before - before), rel=1e-3)
    finally:
        meter.close()
