"""Sweeps that can't be done as they are asked for: one line says why, and no run is started."""

from __future__ import annotations

import pytest
from filelock import FileLock
from sweeping import free_port, small

pytestmark = pytest.mark.slow


def test_a_second_sweep_in_the_same_folder_is_refused(sweep_here, tmp_path):
    state = tmp_path / "runs" / "many" / ".sweep"
    state.mkdir(parents=True)
    with FileLock(state / "sweep.lock"):
        done = sweep_here(small("recipes = ['quickstart']"))
    assert done.returncode == 2
    assert "another 'nfcore sweep' works here" in done.stderr


def test_resources_that_no_machine_has_are_a_mistake(sweep_here, tmp_path):
    done = sweep_here(small("recipes = ['quickstart']", "resources = { cpus = 9999 }"))
    assert done.returncode == 2
    assert "no machine has the resources of one run" in done.stderr
    assert not (tmp_path / "runs" / "many" / "quickstart").exists()


def test_a_cluster_that_is_not_there_is_one_line(sweep_here):
    done = sweep_here(small("recipes = ['quickstart']"), "--address", f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("nfcore: ")]
    assert "does not answer" in line
