"""The teacher and the exporter keep their contracts."""

import pytest
import snerg_ball

from nfcore.testing import ExporterConformance, TeacherConformance


class TestSnergFiles(ExporterConformance):
    component = "nfcore-snerg/snerg"

    def model(self):
        return snerg_ball.model()


@pytest.mark.slow
class TestSnerg(TeacherConformance):
    component = "nfcore-snerg/snerg"
    steps = 300
    options = {
        "samples_per_step": 3000,
        "block": 8,
        "field_options": {"values": 7, "resolution": 24, "samples_per_step": 3000},
    }
