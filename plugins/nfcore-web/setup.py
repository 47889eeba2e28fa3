"""Build step: the page's runtime is taken from npm packages, pinned by hash in package-lock.json, once.

``npm ci`` checks every package against the lock file's SHA-512. The files are kept in ``src/nfcore_web/runtime``
with the lock file's own hash, so that nothing is fetched again until the lock file changes. An sdist contains
them: a wheel is built from it without npm and without a network. The WebAssembly is compressed with xz, which
leaves two thirds of what gzip would: the page has to be small.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = Path(__file__).resolve().parent
RUNTIME = HERE / "src" / "nfcore_web" / "runtime"
STAMP = RUNTIME / "prepared.json"
ORT = "onnxruntime-web/dist"
#: One binary for all browsers: with JavaScript Promise Integration it has WebGPU, without it the CPU alone.
TAKEN = {
    f"{ORT}/ort.jspi.bundle.min.mjs": RUNTIME / "ort.mjs",
    f"{ORT}/ort-wasm-simd-threaded.jspi.wasm": RUNTIME / "ort.wasm.xz",
    "xz-decompress/dist/package/xz-decompress.min.js": RUNTIME / "xz.js",
}
if (HERE / "tests" / "conftest.py").is_file():  # a clone's: they check the page's accessibility
    TAKEN["axe-core/axe.min.js"] = HERE / "tests" / "axe.min.js"


def prepare() -> None:
    """Fetch the pinned packages and keep the files that the page and its tests need, unless that is done."""
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    versions = {name: lock[f"node_modules/{name}"]["version"] for name in ("onnxruntime-web", "xz-decompress")}
    stamp = {"lock": hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest(), "versions": versions}
    if STAMP.is_file() and json.loads(STAMP.read_text()) == stamp and all(p.is_file() for p in TAKEN.values()):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm, which comes with Node.js, is needed to build nfcore-web")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True)  # noqa: S603 - npm, as the PATH has it
        RUNTIME.mkdir(exist_ok=True)
        for source, path in TAKEN.items():
            data = (Path(folder) / "node_modules" / source).read_bytes()
            path.write_bytes(compressed(data) if path.suffix == ".xz" else data)
    STAMP.write_text(json.dumps(stamp, indent=2) + "\n")


def compressed(data: bytes) -> bytes:
    """Return ``data`` as the page's decoder wants it: CRC32, and no dictionary of 64 MiB on a phone."""
    return lzma.compress(
        data,
        check=lzma.CHECK_CRC32,
        filters=[{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 16 << 20}],
    )


class BuildWithRuntime(build_py):
    """Prepares the runtime first; an editable install works without it: the exporter says what is missing."""

    def run(self) -> None:
        """Prepare, then build."""
        try:
            prepare()
        except (OSError, subprocess.CalledProcessError) as error:
            if not self.editable_mode:
                raise
            sys.stderr.write(f"nfcore-web: installed without its browser runtime: {error}\n")
        super().run()


class SdistWithRuntime(sdist):
    """Prepares the runtime first, so that the sdist contains it."""

    def run(self) -> None:
        """Prepare, then pack."""
        prepare()
        super().run()


setup(cmdclass={"build_py": BuildWithRuntime, "sdist": SdistWithRuntime})
