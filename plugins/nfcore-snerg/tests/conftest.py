"""Tests render in torch, except for those that ask for kernels: these take long to compile."""

import pytest


@pytest.fixture(autouse=True)
def _no_kernels(request, monkeypatch):
    if "kernels" not in request.fixturenames:
        monkeypatch.setenv("NFCORE_KERNELS", "off")


@pytest.fixture(scope="session")
def kernels():
    """The compiled kernels."""
    from nfcore.kernels import Unavailable, load

    loaded = load("nfcore_snerg.kernels")
    if isinstance(loaded, Unavailable):
        pytest.skip(loaded.reason)
    return loaded
