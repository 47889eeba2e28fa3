"""Whatever is in an exported file that can be drawn here, it is drawn or refused by name.

``NFCORE_FUZZ=2000`` tries that many inputs with other random numbers each time; the default is few, and always the
same. ``NFCORE_FUZZ_LOG=FILE`` writes a line for each.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import warnings
from pathlib import Path

import bakeable
import ball
import fitted
import fuzzed
import pytest
import snerg_ball
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nfcore import UserError, plugins

pytestmark = [pytest.mark.slow, pytest.mark.timeout(int(os.environ.get("NFCORE_FUZZ", "0")) * 20 or 300)]

FUZZ, LOG = os.environ.get("NFCORE_FUZZ"), os.environ.get("NFCORE_FUZZ_LOG")
#: The seconds of CPU time for a file, and what it adds to the memory of the process, at most.
MOST_SECONDS, MOST_MEBIBYTES = 20, 1024
EXPORTERS = {
    "webgl": (bakeable.model, {"views": 4}),
    "snerg": (snerg_ball.model, {}),
    "mobilenerf": (fitted.model, {}),
    "mobilenerf-page": (fitted.model, {}),
    "mesh": (ball.model, {"resolution": 24, "texture": 128, "triangles": 1000}),
    "points": (ball.model, {"points": 3000}),
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """For each exporter: itself, its model's first camera, and its folder."""
    known = {}
    for name, (make, options) in EXPORTERS.items():
        exporter, model = plugins().build("exporter", name, options), make()
        exporter.export(model, folder := tmp_path_factory.mktemp(name))
        known[name] = exporter, model.cameras[:1], folder
    return known


def drawn(exporter, camera, folder: Path) -> None:
    with warnings.catch_warnings(action="ignore"):
        images = exporter.load(folder).render(camera.poses, camera.intrinsics)
    assert tuple(images.shape) == (1, 3, camera.height, camera.width)


@pytest.mark.parametrize("name", EXPORTERS)
@given(data=st.data())
@settings(
    max_examples=int(FUZZ or 0) // len(EXPORTERS) or 8,
    derandomize=FUZZ is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_a_damaged_export_is_drawn_or_refused(exports, tmp_path, name, data):
    exporter, camera, whole = exports[name]
    files = sorted(path.relative_to(whole) for path in whole.rglob("*") if path.is_file())
    file = data.draw(st.sampled_from(files), "file")
    folder = tmp_path / "export"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    data.draw(fuzzed.damages())(folder / file)
    said, start, before = "", time.process_time(), fuzzed.peak()
    try:
        drawn(exporter, camera, folder)
    except UserError as error:
        said = str(error)
        assert len(said.splitlines()) <= 2
        assert str(folder) in said
    seconds, mebibytes = time.process_time() - start, fuzzed.peak() - before
    if LOG:
        with Path(LOG).open("a") as log:
            log.write(json.dumps([f"{name}/{file}", ["bench"], 2 if said else 0, seconds, mebibytes, said]) + "\n")
    assert seconds < MOST_SECONDS
    assert mebibytes < MOST_MEBIBYTES
