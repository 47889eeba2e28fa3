"""The teacher and its exporters keep their contracts."""

from __future__ import annotations

import fitted
import pytest

from nfcore.testing import ExporterConformance, TeacherConformance

pytestmark = pytest.mark.slow


class TestTeacher(TeacherConformance):
    component = "nfcore-mobilenerf/mobilenerf"
    options = {"cells": 24, "pixels_per_step": 512}
    steps = 160


class TestOfficialFiles(ExporterConformance):
    component = "nfcore-mobilenerf/mobilenerf"

    def model(self):
        return fitted.model()


class TestPage(ExporterConformance):
    component = "nfcore-mobilenerf/mobilenerf-page"

    def model(self):
        return fitted.model()
