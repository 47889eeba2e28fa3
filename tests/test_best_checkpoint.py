"""Fine-tuning keeps the weights that scored best on the validation images."""

from __future__ import annotations

import copy
import sys

import pytest
import tiny
import torch
from test_training import SOURCE, Recorder, assert_same_weights, photos

from nfcore import Reporter
from nfcore.config.schema import FinetuneConfig, TrainingConfig
from nfcore.evaluation import Evaluation
from nfcore.pipeline import finetune
from nfcore.training.loop import train


def test_fine_tuning_keeps_the_best_of_several_moments(monkeypatch):
    scores = iter([20.0, 21.0, 25.0, 24.0, 23.0])  # before, and at four moments
    seen: list[dict[str, torch.Tensor]] = []

    def judge(student, views, metrics):
        seen.append({name: tensor.clone() for name, tensor in student.state_dict().items()})
        return Evaluation({"psnr": (next(scores),)}, ("held out",))

    # the package's function of the same name hides the module from a dotted path
    monkeypatch.setattr(sys.modules["nfcore.pipeline.finetune"], "evaluate", judge)
    student, reporter = tiny.student(), tiny.Notes()
    verdict = finetune(student, SOURCE, FinetuneConfig(steps=40, batch=2), reporter=reporter)
    assert (verdict.step, verdict.before, verdict.after, verdict.kept) == (20, 20.0, 25.0, True)
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, seen[2][name])
    assert "20.00 dB before, 25.00 dB at best, 23.00 dB at the end" in reporter.notes[-1]


def test_fine_tuning_that_makes_worse_leaves_the_student_as_it_was():
    student = tiny.student(width=16)
    train(student, photos(), tiny.SQUARE, TrainingConfig(steps=300, batch=4, learning_rate=2e-2), 0, Reporter())
    before = copy.deepcopy(student.state_dict())
    settings = FinetuneConfig(steps=9, batch=2, learning_rate=1.0, warmup=0.0, final_learning_rate=1.0)
    verdict = finetune(student, SOURCE, settings)
    assert (verdict.step, verdict.kept, verdict.after) == (0, False, verdict.before)
    for name, tensor in student.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("step", [1, 15, 29])
def test_an_interrupted_fine_tuning_chooses_the_same_weights(tmp_path, step):
    def tuned(recorder):
        student = tiny.student(width=16)
        settings = FinetuneConfig(steps=30, batch=2, learning_rate=1e-2, evaluations=5)
        return student, finetune(student, SOURCE, settings, reporter=recorder)

    path = tmp_path / "state"
    with pytest.raises(Recorder.Interrupted):
        tuned(Recorder(path, step, interrupt=True))
    (through, first), (again, second) = tuned(Recorder()), tuned(Recorder(path))
    assert first == second
    assert_same_weights(through, again)
