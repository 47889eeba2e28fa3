"""Configure a recipe by name, execute it as a run, print its results: ``python examples/run.py [FOLDER]``.

The same call resumes an interrupted run, and returns at once if the run is finished.
"""

import sys
from pathlib import Path

from nfcore import plugins
from nfcore.config import configure
from nfcore.runs import Artifacts, execute


def main(folder: Path, *changes: str) -> Artifacts:
    """Execute the quickstart in ``folder`` with ``changes`` of its settings; return the run's artifacts."""
    config = configure("quickstart", plugins(), changes=changes, exports="onnx")
    run = execute(folder, config, resume=True)

    results = run.results  # the entries of summary.json
    print(f"teacher {results['teacher.test.psnr']:.2f} dB, student {results['student.test.psnr']:.2f} dB")
    for label, manifest in run.exports.items():
        print(f"{label}: {manifest.bytes} bytes, run by {manifest.verified_by}")
    photo = run.source.views("test").cameras[0]
    print(f"a picture of shape {run.student.picture(photo).shape}")
    return run


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/from-python"))
