"""The smallest package: sensitivities, allocations of bits, the search along them, and the choice."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import tiny
import tiny_sizes
import torch

from nfcore import Cameras, NfcoreError, Reporter, UserError, Views
from nfcore.config.schema import Choice
from nfcore.exports.deploy import DeployedLightField
from nfcore.shrinking.bit_allocation import WHOLE, Allocation, allocations
from nfcore.shrinking.candidate_cache import Workshop
from nfcore.shrinking.candidates import front_of, survey
from nfcore.shrinking.pareto_selection import Limits, Measured, smallest
from nfcore.shrinking.quality import Judge, Score
from nfcore.shrinking.report import Kept, as_data, save_picture
from nfcore.shrinking.searching import furthest
from nfcore.shrinking.sensitivity import Sensitivity, sensitivities
from nfcore.student.complexity import macs


def photos_of(student, noise: float = 0.02) -> Views:
    """Photos that a student comes close to: its own pictures with noise, which no rounding of weights explains."""
    cameras = tiny.Ring(tiny.Ring.Options(train=12), 16).views("train").cameras
    own = student.render(cameras).permute(0, 2, 3, 1)
    generator = torch.Generator().manual_seed(3)
    images = (own + noise * torch.randn(own.shape, generator=generator)).clamp(0, 1)
    return Views(cameras, images, None, tuple(map(str, range(len(cameras)))))


@pytest.fixture(scope="module")
def student():
    return tiny.student(width=32).eval()


@pytest.fixture(scope="module")
def judge(student) -> Judge:
    return Judge(student, photos_of(student), 8)


@pytest.fixture
def workshop(student, judge, tmp_path) -> Workshop:
    return Workshop(student, judge, tiny_sizes.manager(), tmp_path / "memory.json")


def exporter(**options: object) -> tiny_sizes.Packed:
    return tiny_sizes.Packed(tiny_sizes.Packed.Options(**options))


# -- the judge ---------------------------------------------------------------------------------------


def test_the_student_itself_loses_nothing(student, judge):
    score = judge.score(DeployedLightField(student))
    assert abs(score.loss) < 1e-4
    assert score.psnr_vs_torch > 100
    assert score.psnr == pytest.approx(-20 * torch.tensor(0.02).log10().item(), abs=0.5)  # the noise of the photos


def test_a_loss_is_that_of_the_pictures_against_the_photos(student, judge):
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    score = judge.score(lambda *camera: DeployedLightField(student)(*camera) + 0.02 * noise)
    assert score.loss == pytest.approx(10 * torch.tensor(2.0).log10().item(), abs=0.3)  # as much error again: 3 dB
    assert judge.expected_loss(0.02**2) == pytest.approx(score.loss, abs=0.3)
    assert score.psnr_vs_torch == pytest.approx(34, abs=0.5)


def test_at_most_the_asked_number_of_photos_is_looked_at_evenly_spread(student):
    views = photos_of(student)
    judge = Judge(student, views, 4)
    assert len(judge) == 4
    assert torch.equal(judge.cameras.poses, views.cameras.poses[[0, 3, 6, 9]])
    assert len(Judge(student, views, 99)) == len(views)


@pytest.mark.parametrize(
    "render",
    [lambda *camera: torch.zeros(1, 3, 8, 8), lambda *camera: torch.full((1, 3, 16, 16), torch.nan)],
    ids=["another size", "not a number"],
)
def test_what_is_no_picture_loses_everything(judge, render):
    assert judge.score(render).psnr_vs_torch == 0
    assert judge.score(render).loss == judge.psnr


# -- sensitivity -------------------------------------------------------------------------------------


def test_a_layers_sensitivity_is_the_error_of_rounding_that_layer_alone(student, judge):
    found = sensitivities(student, exporter(), judge.cameras[:4])
    layers = {name: module for name, module in student.named_modules() if name in found}
    assert set(layers) == {"backbone.layers.2", "upsampler.conv"}  # the first has 96 weights: not worth a palette
    own = student.render(judge.cameras[:4])
    for name, layer in layers.items():
        assert found[name].weights == layer.weight.numel()
        whole = layer.weight.detach().clone()
        for bits, error in found[name].errors.items():
            layer.weight.data = exporter().rounded(whole, bits)
            assert error == pytest.approx(
                float((student.render(judge.cameras[:4]) - own).square().mean()), rel=1e-3
            )
        layer.weight.data = whole
        assert found[name].errors[2] > found[name].errors[4] > found[name].errors[8] > 0


def test_norms_are_folded_before_a_layer_is_rounded(judge):
    """What is exported has no norms; its layers' weights are other weights."""
    student = tiny.student(width=32, norm=True).eval()
    student.backbone.layers[1].running_var.fill_(9.0)
    seen = []

    class Watching(tiny_sizes.Packed):
        def rounded(self, weight, bits):
            seen.append(weight)
            return weight

    found = sensitivities(student, Watching(tiny_sizes.Packed.Options()), judge.cameras[:1])
    assert "backbone.layers.3" in found
    assert all(error == 0 for layer in found.values() for error in layer.errors.values())
    folded = dict(DeployedLightField(student).image.network[0].named_modules())["layers.3"].weight
    assert any(torch.equal(weight, folded) for weight in seen)


def test_of_large_pictures_the_middle_is_enough(monkeypatch):
    large = tiny.student(side=64, width=32).eval()
    monkeypatch.setattr("nfcore.shrinking.sensitivity._MACS", 2 * macs(large) // 16)  # 2 views, a 16th of each
    cropped, seen = Cameras.cropped, []
    monkeypatch.setattr(Cameras, "cropped", lambda self, *window: seen.append(window) or cropped(self, *window))
    sensitivities(large, exporter(), tiny.cameras(tiny.REGION.circle(2), 64, 64))
    ((top, left, height, width),) = seen
    assert (height, width) == (16, 16)
    assert top.tolist() == left.tolist() == [24, 24]


# -- allocations -------------------------------------------------------------------------------------

LAYERS = {
    "sturdy": Sensitivity(1000, {8: 1e-6, 4: 2e-6, 2: 1e-4}),
    "delicate": Sensitivity(1000, {8: 1e-5, 4: 1e-3, 2: 1e-1}),
    "small": Sensitivity(300, {8: 1e-9, 4: 1e-8, 2: 1e-3}),
}


def bits_of(allocation: Allocation) -> int:
    return sum(layer.weights * allocation.bits.get(name, WHOLE) for name, layer in LAYERS.items())


def test_a_path_goes_from_all_weights_whole_to_all_at_their_fewest_bits():
    path = allocations(LAYERS)
    assert (path[0].bits, path[0].error) == ({}, 0)
    assert path[-1].bits == dict.fromkeys(LAYERS, 2)
    sizes = [bits_of(allocation) for allocation in path]
    assert sizes == sorted(sizes, reverse=True)
    assert all(one.error <= other.error for one, other in itertools.pairwise(path))
    for allocation in path:
        errors = [LAYERS[name].errors[bits] for name, bits in allocation.bits.items()]
        assert allocation.error == pytest.approx(sum(errors))


def test_no_other_choice_of_bits_is_both_smaller_and_better_than_one_on_the_path():
    """By all that there are: 4 widths of 3 layers."""
    choices = list(itertools.product((WHOLE, 8, 4, 2), repeat=len(LAYERS)))
    every = [Allocation(0, {n: b for n, b in zip(LAYERS, bits, strict=True) if b != WHOLE}) for bits in choices]
    costs = [(bits_of(one), sum(LAYERS[n].errors[b] for n, b in one.bits.items())) for one in every]
    for allocation in allocations(LAYERS):
        size, error = bits_of(allocation), allocation.error
        assert not [cost for cost in costs if cost[0] <= size and cost[1] < error * (1 - 1e-9)]


def test_the_sturdy_layer_gets_fewer_bits_than_the_delicate_one():
    halfway = [a for a in allocations(LAYERS) if a.error < 1e-4][-1]
    assert halfway.bits["sturdy"] < halfway.bits.get("delicate", WHOLE)


# -- the search --------------------------------------------------------------------------------------

PATH = [Allocation(1e-5 * index, {"layer": index}) for index in range(40)]


def measured(size: int, loss: float, **more: object) -> Measured:
    return Measured(Choice(name="packed"), f"{size}", size, Score(30 - loss, loss, 50.0, 0.01), **more)


@pytest.mark.parametrize("truth", [0.25, 1.0, 3.0])
def test_the_search_finds_the_end_of_what_is_allowed_though_the_estimate_is_wrong(truth):
    """The loss is ``truth`` times what is expected; the last allocation that loses at most 0.1 is to be found."""
    found = furthest(
        PATH,
        lambda allocation: measured(100 - allocation.bits["layer"], 1e3 * truth * allocation.error),
        lambda error: 1e3 * error,
        allowed=0.1,
        tries=6,
    )
    last = max(index for index, allocation in enumerate(PATH) if 1e3 * truth * allocation.error <= 0.1)
    assert min(one.bytes for one in found if one.score.loss <= 0.1) == 100 - last
    assert len(found) <= 6


def test_the_search_turns_back_from_what_fails_its_floor():
    def measure(allocation: Allocation) -> Measured:
        failing = allocation.bits["layer"] > 20
        return measured(100 - allocation.bits["layer"], 0.0, refused="below its floor" if failing else None)

    found = furthest(PATH, measure, lambda error: 1e3 * error, allowed=1.0, tries=6)
    assert min(one.bytes for one in found if not one.refused) in range(80, 84)


def test_a_search_stops_after_its_tries_and_at_the_end_of_the_path():
    asked = []

    def measure(allocation: Allocation) -> Measured:
        asked.append(allocation)
        return measured(1, 0.0)

    furthest(PATH, measure, lambda error: 1e3 * error, allowed=1.0, tries=4)
    assert asked == [PATH[-1]]
    assert furthest(PATH[:1], measure, lambda error: error, allowed=1.0, tries=4) == []


# -- the choice --------------------------------------------------------------------------------------


def test_the_smallest_package_within_all_limits_is_chosen():
    packages = [
        measured(8, 0.0, seconds=0.01),
        measured(5, 0.04, seconds=0.02),
        measured(4, 0.04, seconds=0.5),
        measured(3, 0.06, seconds=0.01),
        measured(2, 0.0, refused="below its floor"),
        Measured(Choice(name="packed"), "unseen", 1, refused="it can't be run here"),
    ]
    assert smallest(packages, Limits(0.05)).bytes == 4
    assert smallest(packages, Limits(0.05, seconds=0.1)).bytes == 5
    assert smallest(packages, Limits(0.05, bytes=5)).bytes == 4
    assert smallest(packages, Limits(0.0)).bytes == 8
    assert smallest(packages, Limits(0.1)).bytes == 3


def test_of_equally_small_packages_the_one_that_loses_least_is_chosen():
    assert smallest([measured(4, 0.04), measured(4, 0.01), measured(4, 0.02)], Limits(0.05)).score.loss == 0.01


def test_a_time_that_is_not_known_is_within_no_limit():
    with pytest.raises(NfcoreError):
        smallest([measured(4, 0.0)], Limits(0.05, seconds=1.0))


def test_where_nothing_is_within_the_limits_it_says_what_the_nearest_lack():
    with pytest.raises(NfcoreError) as error:
        smallest([measured(8_000_000, 0.01), measured(4_000_000, 0.3)], Limits(0.05, bytes=5_000_000))
    said = str(error.value)
    assert "loses at most 0.05 dB and has at most 5 MB" in said
    assert "the smallest, packed, 4000000, has 4 MB and loses 0.300 dB" in said
    assert "the best, packed, 8000000, has 8 MB and loses 0.010 dB" in said


def test_where_nothing_was_run_it_says_why():
    with pytest.raises(NfcoreError, match="it takes a telephone"):
        smallest([Measured(Choice(name="packed"), "x", 3, refused="it takes a telephone")], Limits(0.05))


# -- the whole ---------------------------------------------------------------------------------------


def test_a_survey_measures_each_variant_and_finds_bits_for_each_layer_that_beat_them(workshop):
    limits = Limits(0.05)
    found = survey(workshop, ["packed"], limits)
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


def test_a_package_that_fails_its_own_floor_is_never_chosen(workshop):
    """However small it is, and whatever it loses against noisy photos."""
    found = survey(workshop, ["packed"], Limits(99.0), options={"floor": 45.0})
    failing = [one for one in found if one.refused]
    assert "its floor is 45" in failing[0].refused
    assert smallest(found, Limits(99.0)).score.psnr_vs_torch >= 45
    assert not set(map(id, failing)) & set(map(id, front_of(found)))


def test_a_package_whose_pictures_are_wrong_is_never_chosen(workshop):
    found = survey(workshop, ["packed"], Limits(0.05), options={"broken_at": 8})
    assert found[1].score.loss > 5
    assert smallest(found, Limits(0.05)).precision != "8 bits"


def test_bits_for_layers_go_with_the_variant_that_takes_them(workshop, monkeypatch):
    """As with ONNX, where only the form of int8 weights has integers to give fewer bits to."""
    build = workshop.build

    def strict(choice):
        if choice.options.get("bits") and choice.options.get("precision") != 8:
            raise UserError("bits of single layers are for 8 bits")
        return build(choice)

    monkeypatch.setattr(workshop, "build", strict)
    mixed = survey(workshop, ["packed"], Limits(0.05))[4:]
    assert mixed
    assert all(one.choice.options["precision"] == 8 and one.score is not None for one in mixed)


@pytest.mark.parametrize("error", [RuntimeError("core.cpp:84: no"), NfcoreError("no such op")])
def test_an_exporter_that_fails_on_one_package_leaves_the_others_to_choose_from(workshop, monkeypatch, error):
    export = tiny_sizes.Packed.export

    def failing(self, student, folder):
        if self.options.precision == 4:
            raise error
        return export(self, student, folder)

    monkeypatch.setattr(tiny_sizes.Packed, "export", failing)
    found = survey(workshop, ["packed"], Limits(0.05))
    assert [one.score is None for one in found[:4]] == [False, False, True, False]
    assert str(error) in found[2].refused
    assert smallest(found, Limits(0.05)).score is not None


def test_an_option_that_the_exporter_does_not_take_is_a_users_error(workshop):
    with pytest.raises(UserError, match="colour"):
        survey(workshop, ["packed"], Limits(0.05), options={"colour": 3})


def test_what_was_measured_is_remembered_until_the_student_is_another(workshop, judge, monkeypatch):
    first = survey(workshop, ["packed"], Limits(0.05))
    made = []
    export = tiny_sizes.Packed.export
    monkeypatch.setattr(
        tiny_sizes.Packed, "export", lambda self, *a: made.append(self.options) or export(self, *a)
    )
    assert survey(workshop, ["packed"], Limits(0.05)) == first
    assert not made
    other = tiny.student(seed=1, width=32).eval()
    survey(
        Workshop(other, Judge(other, photos_of(other), 8), workshop.manager, workshop.memory),
        ["packed"],
        Limits(0.05),
    )
    assert made


def test_an_interrupted_survey_goes_on_where_it_was(workshop, monkeypatch):
    made = []
    export = tiny_sizes.Packed.export

    def failing(self, student, folder):
        made.append(self.options.precision)
        if self.options.precision == 4 and len(made) == 3:
            raise KeyboardInterrupt
        return export(self, student, folder)

    monkeypatch.setattr(tiny_sizes.Packed, "export", failing)
    with pytest.raises(KeyboardInterrupt):
        survey(workshop, ["packed"], Limits(0.05))
    survey(workshop, ["packed"], Limits(0.05))
    assert made[:5] == [16, 8, 4, 4, 2]


def test_a_damaged_memory_is_a_memory_lost_and_no_error(workshop):
    workshop.memory.write_text("{")
    assert workshop.measure(Choice(name="packed")).score is not None


def test_a_limit_on_time_is_kept_and_what_is_only_emulated_is_within_none(workshop):
    found = survey(workshop, ["packed"], Limits(0.05, seconds=60.0))
    chosen = smallest(found, Limits(0.05, seconds=60.0))
    assert 0 < chosen.seconds < 60
    emulated = survey(workshop, ["packed"], Limits(0.05, seconds=60.0), options={"timed": False})
    with pytest.raises(NfcoreError):
        smallest(emulated, Limits(0.05, seconds=60.0))


def test_the_report_says_what_there_was_and_what_was_chosen(workshop, judge, tmp_path):
    limits = Limits(0.05)
    found = survey(workshop, ["packed"], limits, reporter=Reporter())
    chosen = smallest(found, limits)
    kept = Kept("packed-small", chosen, chosen.score, dataclasses.replace(chosen.score, loss=0.07))
    data = as_data("lego", judge, limits, found, kept)
    assert data["limits"] == {"loss": 0.05}
    assert len(data["packages"]) == len(found)
    assert data["packages"][data["chosen"]["package"]]["bytes"] == chosen.bytes
    assert data["chosen"]["test_loss"] == 0.07
    sizes = [data["packages"][index]["bytes"] for index in data["front"]]
    assert sizes == sorted(sizes)
    assert save_picture(tmp_path / "shrink.png", "lego", found, kept)
    assert (tmp_path / "shrink.png").read_bytes().startswith(b"\x89PNG")
    assert "chosen" not in as_data("lego", judge, limits, found, None)
