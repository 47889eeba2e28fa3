"""COLMAP's library leaves the process as it was."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

CODE = "import nfcore_scenes.lenses, os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"


def test_a_process_that_is_asked_to_end_does_so_without_a_word():
    done = subprocess.run([sys.executable, "-c", CODE], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGTERM
    assert not done.stderr
