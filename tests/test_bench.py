"""A bench's table, its Pareto fronts and its plot, and budgets as people write them."""

from __future__ import annotations

import json

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from tiny_sizes import package

from nfcore import Runner, UserError
from nfcore.measuring.bench import Bench, Quality, Row, bench
from nfcore.measuring.pareto import pareto_front, quality_pareto
from nfcore.measuring.plots import Panel, Point, save_plot
from nfcore.measuring.quantities import parse_bytes, parse_seconds


@pytest.fixture
def quick_peak(monkeypatch):
    """A matrix product that costs nothing."""
    monkeypatch.setattr("nfcore.measuring.peak._SIDE", 32)


def test_the_front_holds_what_no_other_beats():
    assert pareto_front([(3, 1), (1, 3), (2, 2), (2, 3), (3, 3)]) == [1, 2, 0]
    assert pareto_front([(1, 1), (1, 1)]) == [0]
    assert pareto_front([]) == []


costs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12)


@given(costs)
def test_every_point_off_the_front_is_beaten_by_one_on_it_and_none_on_it_is(points):
    front = pareto_front(points)
    for index, point in enumerate(points):
        beaten = [f for f in front if f != index and all(a <= b for a, b in zip(points[f], point, strict=True))]
        assert bool(beaten) == (index not in front)


def test_a_thousandth_of_a_db_is_no_reason_to_be_on_the_front():
    assert quality_pareto([(1.0, 30.001), (2.0, 30.003), (3.0, 30.02)]) == [0, 2]


ROWS = (
    Row("torch", 1, 4000, 10.0, (9.0, 11.0), 5, 0.5, psnr=30.0),
    Row("torch", 2, 4000, 6.0, (5.0, 7.0), 5, 0.4, psnr=30.0),
    Row("fp32", 1, 4000, 5.0, (4.0, 6.0), 5, 0.9, psnr=30.0),
    Row("int8", 1, 1000, 5.5, (5.0, 6.0), 5, 0.8, psnr=29.9),
    Row("coreml", None, 900, psnr=29.95, note="emulated"),
)


def test_a_benchs_fronts_are_of_size_and_of_latency():
    """Core ML is both smaller and better than int8, but nobody knows how quick it is."""
    found = Bench(ROWS, 1000, {1: 1e9})
    assert found.pareto_by_size == ["coreml", "torch"]
    assert found.pareto_by_latency == [("fp32", 1)]


def test_what_was_not_measured_is_absent_from_the_data_never_zero():
    data = Bench(ROWS, 1000, {1: 1e9}).as_data()
    assert "milliseconds" not in data["rows"][-1]
    assert "memory" not in data["rows"][0]
    assert data["rows"][0]["spread"] == (9.0, 11.0)
    assert data["peak_flops"] == {"1": 1_000_000_000}
    json.dumps(data, allow_nan=False)


def test_a_bench_has_a_row_for_torch_and_each_export_with_what_is_known_of_it(tmp_path, quick_peak):
    packages = [package(tmp_path, "small", precision=4), package(tmp_path, "emulated", timed=False)]
    quality = {"torch": Quality(30.0), "small": Quality(29.0, 44.0)}
    found = bench({"student": tiny.student()}, packages, quality, threads=[1, 2], seconds=0.01, memory=False)
    assert [(row.label, row.threads) for row in found.rows] == [
        ("torch", 1),
        ("torch", 2),
        ("small", 1),
        ("small", 2),
        ("emulated", None),
    ]
    small, emulated = found.rows[2], found.rows[4]
    assert (small.psnr, small.psnr_vs_torch, small.bytes) == (29.0, 44.0, packages[0].bytes)
    assert small.spread[0] <= small.milliseconds <= small.spread[1]
    assert (emulated.milliseconds, emulated.psnr, emulated.bytes) == (None, None, packages[1].bytes)


def test_a_plot_is_a_picture_and_without_points_there_is_none(tmp_path):
    points = [Point("a", 1.0, 30.0), Point("b", 2.0, 29.0), Point("c", 3.0, 31.0, chosen=True)]
    assert save_plot(tmp_path / "plot.png", "title", [Panel("size, MB", points), Panel("empty", [])])
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert not save_plot(tmp_path / "none.png", "title", [Panel("empty", [])])
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize("name", ["$\\nonsense{$", "a\x1b[31mb", "写真"])
def test_any_name_may_be_in_a_plot(tmp_path, name):
    assert save_plot(tmp_path / "plot.png", name, [Panel(name, [Point(name, 1.0, 30.0)])])


def test_a_runner_is_timed_unless_it_says_otherwise():
    assert Runner("x", lambda pose, intrinsics: pose).timed


@pytest.mark.parametrize(
    ("text", "size"),
    [("3.4MB", 3_400_000), ("900 kB", 900_000), ("2MiB", 2 << 20), ("1234", 1234), (".5mb", 500_000), ("1b", 1)],
)
def test_a_size_is_read_as_it_is_written(text, size):
    assert parse_bytes(text) == size


@pytest.mark.parametrize(("text", "seconds"), [("30ms", 0.03), ("0.5 s", 0.5), ("200us", 2e-4)])
def test_a_time_is_read_as_it_is_written(text, seconds):
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "MB", "-3MB", "0MB", "3.4 parsecs", "3,4MB", "nan", "1e3MB", "30ms"])
def test_a_size_that_is_none_is_a_users_error_that_says_what_would_be_right(text):
    with pytest.raises(UserError, match="MB"):
        parse_bytes(text)


@pytest.mark.parametrize("text", ["30", "30MB", "soon", "-1ms", "0s"])
def test_a_time_that_is_none_is_a_users_error_that_says_what_would_be_right(text):
    with pytest.raises(UserError, match="ms"):
        parse_seconds(text)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_a_users_error(text):
    try:
        assert parse_bytes(text) >= 0
    except UserError as error:
        assert len(str(error).splitlines()) <= 2
