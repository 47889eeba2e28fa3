"""The teachers keep their contract."""

from nfcore.testing import TeacherConformance


class TestVoxels(TeacherConformance):
    component = "nfcore-teachers/voxels"
    options = {"resolution": 24, "samples_per_step": 3000}
