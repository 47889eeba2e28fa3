"""What packages lose, all candidates measured, and what was measured remembered."""

from __future__ import annotations

import dataclasses

import pytest
import tiny
import tiny_sizes
import torch
from tiny_sizes import photos_of

from nfcore import NfcoreError, Reporter, Runner, UserError
from nfcore.config.schema import Choice
from nfcore.exports.deploy import DeployedLightField
from nfcore.exports.parity import compare
from nfcore.exports.reference import Reference
from nfcore.shrinking.candidate_cache import CandidateCache
from nfcore.shrinking.candidates import measure_candidates, pareto
from nfcore.shrinking.pareto_selection import Limits, smallest
from nfcore.shrinking.quality import Score, expected_loss, photo_reference, squared_errors
from nfcore.shrinking.report import ChosenExport, as_data, save_picture

pytestmark = pytest.mark.slow  # trains and measures students


@pytest.fixture(scope="module")
def student():
    return tiny.student(width=32).eval()


@pytest.fixture(scope="module")
def reference(student) -> Reference:
    return photo_reference(student, photos_of(student), 8)


@pytest.fixture
def cache(reference, tmp_path) -> CandidateCache:
    return CandidateCache(reference, tiny_sizes.manager(), tmp_path / "measured.json")


def score(reference, render) -> Score:
    return Score.of(compare(reference, Runner("test", render)))


def test_the_student_itself_loses_nothing(student, reference):
    found = score(reference, DeployedLightField(student))
    assert abs(found.loss) < 1e-4
    assert found.psnr_vs_torch > 100
    assert found.psnr == pytest.approx(-20 * torch.tensor(0.02).log10().item(), abs=0.5)  # the photos' noise


def test_a_loss_is_that_of_the_images_against_the_photos(student, reference):
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    found = score(reference, lambda *camera: DeployedLightField(student)(*camera) + 0.02 * noise)
    assert found.loss == pytest.approx(10 * torch.tensor(2.0).log10().item(), abs=0.3)  # as much error again: 3 dB
    assert expected_loss(squared_errors(reference), 0.02**2) == pytest.approx(found.loss, abs=0.3)
    assert found.psnr_vs_torch == pytest.approx(34, abs=0.5)


def test_at_most_the_asked_number_of_photos_is_compared_evenly_spread(student):
    photos = photos_of(student)
    reference = photo_reference(student, photos, 4)
    assert torch.equal(reference.cameras.poses, photos.cameras.poses[[0, 3, 6, 9]])
    assert len(photo_reference(student, photos, 99).torch_psnr) == len(photos)


def test_each_variant_is_measured_and_mixed_precisions_beat_them(cache):
    limits = Limits(0.05)
    found = measure_candidates(cache, ["packed"], limits)
    uniform, mixed = found[:4], found[4:]
    assert [one.precision for one in uniform] == ["16 bits", "8 bits", "4 bits", "2 bits"]
    assert [one.bytes for one in uniform] == sorted((one.bytes for one in uniform), reverse=True)
    assert uniform[0].score.loss < 0.001 < uniform[3].score.loss
    assert mixed
    chosen = smallest(found, limits)
    assert chosen in mixed
    assert chosen.score.loss <= 0.05
    assert chosen.bytes < smallest(uniform, limits).bytes
    assert chosen.bits == pytest.approx(_mean_bits(chosen.choice.options["bits"]))


def _mean_bits(bits: dict[str, int]) -> float:
    weights = {"backbone.layers.2": 32 * 32, "upsampler.conv": 32 * 9 * 48}
    return sum(n * bits.get(name, 16) for name, n in weights.items()) / sum(weights.values())


def test_a_package_that_is_beyond_its_tolerance_is_never_chosen(cache):
    """However small it is, and whatever it loses against noisy photos."""
    found = measure_candidates(cache, ["packed"], Limits(99.0), options={"psnr": 45.0})
    failing = [one for one in found if one.refused]
    assert "at least 45.0 are required" in failing[0].refused
    assert smallest(found, Limits(99.0)).score.psnr_vs_torch >= 45
    assert not set(map(id, failing)) & set(map(id, pareto(found)))


def test_a_package_whose_images_are_wrong_is_never_chosen(cache):
    found = measure_candidates(cache, ["packed"], Limits(0.05), options={"broken_at": 8})
    assert found[1].score.loss > 5
    assert smallest(found, Limits(0.05)).precision != "8 bits"


def test_bits_for_layers_go_with_the_variant_that_takes_them(cache, monkeypatch):
    """As with ONNX, where only the form of int8 weights has integers to give fewer bits to."""
    build = cache.build

    def strict(choice):
        if choice.options.get("bits") and choice.options.get("precision") != 8:
            raise UserError("bits of single layers are for 8 bits")
        return build(choice)

    monkeypatch.setattr(cache, "build", strict)
    mixed = measure_candidates(cache, ["packed"], Limits(0.05))[4:]
    assert mixed
    assert all(one.choice.options["precision"] == 8 and one.score is not None for one in mixed)


@pytest.mark.parametrize("error", [RuntimeError("core.cpp:84: no"), NfcoreError("no such op")])
def test_an_exporter_that_fails_on_one_package_leaves_the_others_to_choose_from(cache, monkeypatch, error):
    export = tiny_sizes.Packed.export

    def failing(self, student, folder):
        if self.options.precision == 4:
            raise error
        return export(self, student, folder)

    monkeypatch.setattr(tiny_sizes.Packed, "export", failing)
    found = measure_candidates(cache, ["packed"], Limits(0.05))
    assert [one.score is None for one in found[:4]] == [False, False, True, False]
    assert str(error) in found[2].refused
    assert smallest(found, Limits(0.05)).score is not None


def test_an_option_that_the_exporter_does_not_take_is_a_users_error(cache):
    with pytest.raises(UserError, match="colour"):
        measure_candidates(cache, ["packed"], Limits(0.05), options={"colour": 3})


def test_what_was_measured_is_remembered_until_the_student_is_another(cache, reference, monkeypatch):
    first = measure_candidates(cache, ["packed"], Limits(0.05))
    made = []
    export = tiny_sizes.Packed.export
    monkeypatch.setattr(
        tiny_sizes.Packed, "export", lambda self, *a: made.append(self.options) or export(self, *a)
    )
    assert measure_candidates(cache, ["packed"], Limits(0.05)) == first
    assert not made
    other = tiny.student(seed=1, width=32).eval()
    measure_candidates(
        CandidateCache(photo_reference(other, photos_of(other), 8), cache.manager, cache.path),
        ["packed"],
        Limits(0.05),
    )
    assert made


def test_what_was_interrupted_resumes_where_it_was(cache, monkeypatch):
    made = []
    export = tiny_sizes.Packed.export

    def failing(self, student, folder):
        made.append(self.options.precision)
        if self.options.precision == 4 and len(made) == 3:
            raise KeyboardInterrupt
        return export(self, student, folder)

    monkeypatch.setattr(tiny_sizes.Packed, "export", failing)
    with pytest.raises(KeyboardInterrupt):
        measure_candidates(cache, ["packed"], Limits(0.05))
    measure_candidates(cache, ["packed"], Limits(0.05))
    assert made[:5] == [16, 8, 4, 4, 2]


@pytest.mark.parametrize(
    "image",
    [torch.zeros(1, 3, 8, 8), torch.full((1, 3, 16, 16), torch.nan)],
    ids=["another size", "not a number"],
)
def test_a_package_that_draws_no_image_is_never_chosen(cache, monkeypatch, image):
    monkeypatch.setattr(tiny_sizes.Packed, "load", lambda *_: Runner("wrong", lambda *camera: image))
    found = cache.measure(Choice(name="packed"))
    assert found.bytes > 0
    assert found.score is None
    with pytest.raises(NfcoreError, match="image"):
        smallest([found], Limits(99.0))


def test_a_damaged_cache_is_a_cache_lost_and_no_error(cache):
    cache.path.write_text("{")
    assert cache.measure(Choice(name="packed")).score is not None


def test_a_limit_on_time_is_kept_and_what_is_only_emulated_is_within_none(cache, monkeypatch):
    # Three seconds for each package are for true figures.
    monkeypatch.setattr("nfcore.measuring.peak._SIDE", 32)
    monkeypatch.setattr("nfcore.measuring.latency.rounds_within", lambda *_: 5)
    found = measure_candidates(cache, ["packed"], Limits(0.05, seconds=60.0))
    chosen = smallest(found, Limits(0.05, seconds=60.0))
    assert 0 < chosen.seconds < 60
    emulated = measure_candidates(cache, ["packed"], Limits(0.05, seconds=60.0), options={"timed": False})
    with pytest.raises(NfcoreError):
        smallest(emulated, Limits(0.05, seconds=60.0))


def test_the_report_says_what_there_was_and_what_was_chosen(cache, reference, tmp_path):
    limits = Limits(0.05)
    found = measure_candidates(cache, ["packed"], limits, reporter=Reporter())
    chosen = smallest(found, limits)
    kept = ChosenExport("packed-small", chosen, chosen.score, dataclasses.replace(chosen.score, loss=0.07))
    data = as_data("lego", reference, limits, found, kept)
    assert data["limits"] == {"loss": 0.05}
    assert len(data["packages"]) == len(found)
    assert data["packages"][data["chosen"]["package"]]["bytes"] == chosen.bytes
    assert data["chosen"]["test_loss"] == 0.07
    sizes = [data["packages"][index]["bytes"] for index in data["pareto"]]
    assert sizes == sorted(sizes)
    assert save_picture(tmp_path / "shrink.png", "lego", found, kept)
    assert (tmp_path / "shrink.png").read_bytes().startswith(b"\x89PNG")
    assert "chosen" not in as_data("lego", reference, limits, found, None)
