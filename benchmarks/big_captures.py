"""``nfcore scene`` on large captures: seconds and greatest memory of the whole command."""

from __future__ import annotations

import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.data import DATA
from nfcore.geometry import look_at

#: Different photos that are made: the others have the same pixels, but bytes of their own.
_DIFFERENT = 6


def measure() -> list[dict[str, Any]]:
    """Return a row for 300 JPEGs of 4000x3000 that are made here, and one for 225 PNGs of lego, 800x800."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_capture(Path(folder) / "phone", 300, 3000, 4000)
        rows.append({"capture": "300 JPEGs of 4000x3000"} | _scene(Path(folder) / "phone"))
        lego = DATA / "nerf_synthetic" / "lego"
        if lego.is_dir():
            copy_capture(lego, Path(folder) / "lego", 225)
            rows.append({"capture": "lego, 225 RGBA PNGs of 800x800"} | _scene(Path(folder) / "lego"))
    return rows


def copy_capture(blender: Path, folder: Path, count: int) -> None:
    """Copy a data set in Blender's layout, with training photos again until it has ``count`` photos."""
    shutil.copytree(blender, folder)
    file = folder / "transforms_train.json"
    train = json.loads(file.read_text())
    originals = list(train["frames"])
    for number in range(count - len(list(folder.glob("*/*.png")))):
        frame = originals[number % len(originals)]
        name = f"train/copy_{number}"
        photo = (folder / f"{frame['file_path']}.png").read_bytes()
        (folder / f"{name}.png").write_bytes(photo + number.to_bytes(4, "big"))
        train["frames"].append(frame | {"file_path": name})
    file.write_text(json.dumps(train))


def write_capture(folder: Path, count: int, height: int, width: int) -> None:
    """Write a capture around an object with noisy, photo-like JPEGs and a transforms.json."""
    (folder / "images").mkdir(parents=True)
    generator = np.random.default_rng(0)
    encoded = []
    for index in range(min(count, _DIFFERENT)):
        coarse = Image.fromarray(generator.integers(0, 256, (30, 40, 3), np.uint8)).resize((width, height))
        noise = generator.normal(0, 6, (height, width, 1)).astype(np.float32)
        photo = np.clip(np.asarray(coarse, np.float32) + noise, 0, 255).astype(np.uint8)
        file = folder / f"{index}.jpg"
        Image.fromarray(photo).save(file, quality=85)
        encoded.append(file.read_bytes())
        file.unlink()
    frames = []
    for index in range(count):
        turn = 2 * math.pi * index / count
        eye = torch.tensor([[4 * math.cos(turn), 4 * math.sin(turn), 1.5]])
        pose = look_at(eye, torch.zeros(3), torch.tensor([0.0, 0.0, 1.0]))[0]
        name = f"images/{index:04d}.jpg"
        (folder / name).write_bytes(encoded[index % len(encoded)] + index.to_bytes(4, "big"))
        frames.append({"file_path": name, "transform_matrix": [*pose.tolist(), [0.0, 0.0, 0.0, 1.0]]})
    (folder / "transforms.json").write_text(json.dumps({"fl_x": 0.8 * width, "frames": frames}))


# What the system counts for a process includes its parent's memory before it became another program.
_SCENE = """
import sys
from nfcore.cli import main
try:
    main()
finally:
    status = open("/proc/self/status").read()
    print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""


def _scene(path: Path) -> dict[str, Any]:
    """Run ``nfcore scene`` in a process of its own; return wall and CPU seconds, and its greatest memory."""
    load, before, began = os.getloadavg()[0], _cpu_seconds(), time.perf_counter()
    command = [sys.executable, "-c", _SCENE, "scene", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "CPU seconds": round(_cpu_seconds() - before, 1),
        "memory, MiB": round(int(done.stderr.split()[-1]) / 1024),
        "load before": round(load, 1),
    }


def _cpu_seconds() -> float:
    """Return the CPU seconds of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
