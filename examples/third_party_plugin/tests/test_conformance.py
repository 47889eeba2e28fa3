"""Both components keep their kinds' contracts: nfcore's own tests, three lines each."""

from nfcore.testing import EncodingConformance, TeacherConformance


class TestBlobs(TeacherConformance):
    component = "blobs"
    options = {"blobs": 64, "rays_per_step": 256}


class TestPluckerFourier(EncodingConformance):
    component = "plucker-fourier"


class TestLearnedPluckerFourier(EncodingConformance):
    component = "plucker-fourier"
    options = {"learned": True, "frequencies": 8}
