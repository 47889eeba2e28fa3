"""The fit: what it reaches, and that it resumes as if it had never been interrupted."""

import pytest
import torch

from nfcore import Budget, Reporter
from nfcore.io import load_state, save_state
from nfcore.testing import ShadedSphere
from nfcore_snerg.stages import Shares, StageReporter
from nfcore_snerg.teacher import Snerg

FIELD = {"values": 7, "resolution": 16, "samples_per_step": 2000}
OPTIONS = Snerg.Options(block=8, samples_per_step=2000, field_options=FIELD)


class KilledError(Exception):
    pass


class Checkpoints(Reporter):
    """Saves a checkpoint to a file after some steps, and ends the fit there."""

    def __init__(self, path, at=None):
        self.path, self.at = path, at

    def restore(self):
        return load_state(self.path) if self.path.exists() else None

    def checkpoint(self, step, state):
        if step == self.at:
            save_state(self.path, state())
            raise KilledError


def fitted(budget, reporter=None, options=OPTIONS):
    source = ShadedSphere.with_alpha()
    teacher = Snerg(options, source.scene)
    teacher.fit(source, budget, reporter or Reporter())
    return teacher.eval()


@pytest.mark.slow
def test_a_fit_that_is_killed_in_any_stage_ends_with_the_same_weights(tmp_path):
    budget = Budget(steps=40, seed=3)
    whole = fitted(budget).state_dict()
    for step in (7, 25, 38):
        path = tmp_path / f"{step}.state"
        with pytest.raises(KilledError):
            fitted(budget, Checkpoints(path, step))
        resumed = fitted(budget, Checkpoints(path)).state_dict()
        assert all(torch.equal(whole[name], resumed[name]) for name in whole), step


@pytest.mark.slow
def test_rounded_voxels_are_those_of_8_bits():
    table = fitted(Budget(steps=40)).table
    assert torch.equal((table * 255).round() / 255, table)
    left = fitted(Budget(steps=40), options=OPTIONS.model_copy(update={"finetune_share": 0.0})).table
    assert not torch.equal((left * 255).round() / 255, left)


def test_stages_share_the_budget_without_losing_a_step():
    shares = Shares.of(Budget(steps=101, seconds=10.0, seed=4), 0.35, 0.1)
    assert shares.field.steps + shares.voxels.steps + shares.network.steps == 101
    assert shares.field.seconds + shares.voxels.seconds + shares.network.seconds == pytest.approx(10.0)
    assert shares.network.seed == 4


def test_a_stage_gets_its_own_checkpoint_only():
    saved = {"stage": "voxels", "state": {"done": 3}, "kept": {"resolution": 9}}
    assert StageReporter(Reporter(), "field", 0, saved).restore() is None
    stage = StageReporter(Reporter(), "voxels", 40, saved)
    assert stage.restore() == {"done": 3}
    assert stage.kept == {"resolution": 9}
