"""Assemble scene, teacher, student and exporter in Python, without the command line.

Run it with ``python examples/compose.py [FOLDER]``; it takes about a minute on two cores.
"""

import sys
from pathlib import Path

from nfcore import Budget, LightField, plugins
from nfcore.config import DistillConfig
from nfcore.pipeline import distill, evaluate, export, teach


def main(folder: Path, teacher_steps: int = 400, student_steps: int = 600) -> float:
    """Write a student and its ONNX file to ``folder``; return the student's PSNR on the test views, dB."""
    build = plugins().build
    source = build("ray_source", "procedural", {}, 64)
    test = source.views("test")

    teacher = build("teacher", "voxels", {}, source.scene)
    teach(teacher, source, Budget(teacher_steps))

    encoding = build("encoding", "points", {"octaves": 4, "span": "box"}, source.scene)
    backbone = build("backbone", "residual-conv", {"depth": 10, "width": 64, "norm": "none"}, encoding.channels)
    upsampler = build("upsampler", "pixel-shuffle", {}, backbone.channels, 4)
    student = LightField(encoding, backbone, upsampler, scene=source.scene, cameras=test.cameras)
    distill(student, teacher, source, DistillConfig(steps=student_steps, views=100, crop=8))

    student.save(folder / "student.safetensors")
    manifest = export(student, build("exporter", "onnx", {}), folder / "onnx")
    quality = evaluate(student, test).mean
    print(f"{quality['psnr']:.2f} dB; ONNX against torch: {manifest.figures()['psnr_vs_torch']} dB")
    return quality["psnr"]


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/compose"))
