"""Teach: fit a teacher to the photos."""

from __future__ import annotations

from nfcore.interfaces import RaySource, Teacher
from nfcore.interfaces.boundaries import calling, check_source
from nfcore.interfaces.budget import Budget
from nfcore.interfaces.reporting import Reporter
from nfcore.pipeline.history import History, HistoryReporter
from nfcore.plugin.guard import guarded
from nfcore.views.teacher_views import check_teacher


def teach(teacher: Teacher, source: RaySource, budget: Budget, reporter: Reporter | None = None) -> History:
    """Fit ``teacher`` to the training views of ``source``, in place; set eval mode. Return its history."""
    check_source(source)
    recorder = HistoryReporter(reporter)
    teacher.train()
    with calling(teacher, "fit"), guarded(filters=False, random=False):
        teacher.fit(source, budget, recorder)
    teacher.eval()
    check_teacher(teacher, source.views("train").cameras)
    return recorder.history
