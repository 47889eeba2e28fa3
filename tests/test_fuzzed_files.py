"""Whatever is in a file that a command reads, the command works or says in a line what is wrong.

``NFCORE_FUZZ=2000`` tries that many inputs with other random numbers each time; the default is few, and always the
same. ``NFCORE_FUZZ_LOG=FILE`` writes a line for each.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import fuzzed
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.slow, pytest.mark.timeout(int(os.environ.get("NFCORE_FUZZ", "0")) * 20 or 300)]

FUZZ = os.environ.get("NFCORE_FUZZ")
LOG = os.environ.get("NFCORE_FUZZ_LOG")
#: A command's CPU time, and what it adds to the memory of the process, at most.
MOST_SECONDS, MOST_MEBIBYTES = 20, 1024


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a file of each kind, in which commands run."""
    with fuzzed.prepared(tmp_path_factory.mktemp("fuzz")) as folder:
        yield folder


@given(data=st.data())
@settings(
    max_examples=int(FUZZ or 20),
    derandomize=FUZZ is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_a_command_on_a_damaged_file_works_or_says_what_is_wrong(place, data):
    name = data.draw(st.sampled_from(sorted(fuzzed.COMMANDS)), "file")
    command = data.draw(st.sampled_from(fuzzed.COMMANDS[name]), "command")
    damage = data.draw(fuzzed.damages())
    damage(place / name)
    try:
        code, said, seconds, mebibytes = fuzzed.outcome(*command)
    finally:
        fuzzed.restore(place, name.partition("/")[0])
    if LOG:
        with Path(LOG).open("a") as file:
            file.write(json.dumps([name, command, code, round(seconds, 2), mebibytes, said[-300:]]) + "\n")
    assert code in (0, 1, 2), said
    assert "Traceback" not in said
    assert "; its traceback: " not in said, said  # the last line of defence is no excuse
    assert "\x1b[31m" not in said
    assert len([line for line in said.splitlines() if line.startswith("nfcore: ")]) <= 2
    assert seconds < MOST_SECONDS
    assert mebibytes < MOST_MEBIBYTES


def test_every_file_that_is_damaged_is_one_that_a_command_needs(place):
    for name, commands in fuzzed.COMMANDS.items():
        assert (place / name).is_file()
        for command in commands[:1]:
            assert fuzzed.outcome(*command).code == 0, command
            fuzzed.restore(place, name.partition("/")[0])
