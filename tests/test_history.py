"""The history that the training stages return: what they reported, as data."""

from __future__ import annotations

import tiny

from nfcore import Budget, Reporter
from nfcore.config.schema import DistillConfig, FinetuneConfig
from nfcore.pipeline import distill, finetune, teach

SOURCE = tiny.Ring(tiny.Ring.Options())


class Told(Reporter):
    """Keeps what it is told of steps."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, dict]] = []

    def step(self, step, **scalars):
        self.steps.append((step, scalars))


def test_each_training_stage_returns_what_it_told_its_reporter():
    teacher, student = tiny.Sky(tiny.Sky.Options(), tiny.SCENE), tiny.student()
    told = [Told(), Told(), Told()]
    histories = [
        teach(teacher, SOURCE, Budget(5), told[0]),
        distill(student, teacher, SOURCE, DistillConfig(steps=30, views=4, batch=2), reporter=told[1]),
        finetune(student, SOURCE, FinetuneConfig(steps=20, batch=2), reporter=told[2]).history,
    ]
    for history, listener in zip(histories, told, strict=True):
        assert [(record.step, record.figures) for record in history.records] == listener.steps
        seconds = [record.seconds for record in history.records]
        assert seconds == sorted(seconds) and seconds[0] >= 0
    assert histories[0].values("psnr") == [99.0]
    assert len(histories[1].values("loss")) == 3
    assert histories[1].values("nothing") == []
