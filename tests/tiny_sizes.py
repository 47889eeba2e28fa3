"""An exporter whose files are as small as its options say: weights as integers of a few bits, packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tiny
import torch
from pydantic import Field
from torch import Tensor

import nfcore
from nfcore import Exported, ExportedFile, Port, Runner, Tolerance, Views
from nfcore.config.schema import Choice
from nfcore.measuring.packages import Package
from nfcore.plugin.entry_points import PluginSource
from nfcore.plugin.manager import PluginManager

CODES, STUDENT = "codes.npz", "student.safetensors"


class Packed(nfcore.Exporter[nfcore.LightField]):
    """Each layer's weights at its bits, in one file; the student that they belong to in another."""

    class Options(nfcore.Options):
        precision: int = Field(16, description="Bits of all layers")
        bits: dict[str, int] = Field({}, description="Bits of single layers")
        psnr: float = Field(1.0, description="Tolerance: least PSNR, dB")
        timed: bool = Field(True, description="Whether its time means something")
        broken_at: int | None = Field(None, description="Bits at which pictures come out upside down")

    options: Options
    bits = (8, 4, 2)

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(psnr=self.options.psnr)

    @classmethod
    def variants(cls) -> Sequence[Mapping[str, object]]:
        return ({}, {"precision": 8}, {"precision": 4}, {"precision": 2})

    def rounded(self, weight: Tensor, bits: int) -> Tensor:
        step = weight.abs().max() / (2 ** (bits - 1) - 1)
        return (weight / step).round() * step

    def export(self, student: nfcore.LightField, folder: Path) -> Exported:
        packed = {}
        for name, weight in student.state_dict().items():
            layer = name.removesuffix(".weight")
            bits = 16 if layer == name else self.options.bits.get(layer, self.options.precision)
            step = float(weight.abs().max() / (2 ** (bits - 1) - 1)) or 1.0
            codes = (weight.flatten() / step).round().long().numpy() + 2 ** (bits - 1)
            packed[f"{name}/codes"] = np.packbits(((codes[:, None] >> np.arange(bits)) & 1).astype(np.uint8))
            packed[f"{name}/step"] = np.array([step, bits])
        np.savez(folder / CODES, **packed)
        student.save(folder / STUDENT, tiny.manager())
        height, width = student.cameras.height, student.cameras.width
        image = Port("image", ("batch", 3, height, width), "float32", "RGB in [0, 1]")
        pose = Port("pose", ("batch", 3, 4), "float32", "camera to world")
        intrinsics = Port("intrinsics", ("batch", 4), "float32", "pixels")
        precision = f"{self.options.precision} bits" if not self.options.bits else "mixed bits"
        return Exported((ExportedFile(CODES, (pose, intrinsics), (image,)),), precision, "tests")

    def load(self, folder: Path, threads: int | None = None) -> Runner:
        student = nfcore.LightField.load(folder / STUDENT, tiny.manager())
        weights = student.state_dict()
        with np.load(folder / CODES) as packed:
            for name, weight in weights.items():
                step, bits = packed[f"{name}/step"]
                planes = np.unpackbits(packed[f"{name}/codes"])[: weight.numel() * int(bits)]
                codes = (planes.reshape(-1, int(bits)).astype(np.int64) << np.arange(int(bits))).sum(1)
                weights[name] = torch.from_numpy((codes - 2 ** (int(bits) - 1)) * step).reshape(weight.shape)
        student.load_state_dict(weights)

        def render(poses: Tensor, intrinsics: Tensor) -> Tensor:
            seen = nfcore.Cameras(poses, intrinsics, student.cameras.height, student.cameras.width)
            image = student.render(seen)
            return image.flip(2) if self.options.precision == self.options.broken_at else image

        return Runner("unpacked", render, timed=self.options.timed)


class _Plugin:
    @staticmethod
    @nfcore.hookimpl
    def nfcore_components():
        yield nfcore.Component("exporter", "packed", "tiny_sizes:Packed", level=2)


def source() -> PluginSource:
    """A plugin source that offers the exporter."""
    return tiny.source(_Plugin, "tiny-sizes", "sizes")


def manager() -> PluginManager:
    """A manager of the tiny components and this exporter."""
    return PluginManager([tiny.source(tiny.tiny_plugin), source()])


def exporter(**options: object) -> Packed:
    """The exporter with these options."""
    return Packed(Packed.Options(**options))


def photos_of(student: nfcore.LightField, noise: float = 0.02) -> Views:
    """Photos that a student comes close to: its own images with noise, which no rounding of weights explains."""
    cameras = tiny.Ring(tiny.Ring.Options(train=12), 16).views("train").cameras
    own = student.render(cameras).permute(0, 2, 3, 1)
    generator = torch.Generator().manual_seed(3)
    images = (own + noise * torch.randn(own.shape, generator=generator)).clamp(0, 1)
    return Views(cameras, images, None, tuple(map(str, range(len(cameras)))))


def package(folder, label: str = "small", **options: object) -> Package:
    """An export of a tiny student, made now."""
    choice = Choice(name="packed", **options)
    exporter = manager().build("exporter", "packed", options)
    (folder / label).mkdir()
    exporter.export(tiny.student(), folder / label)
    return Package(label, choice, exporter, folder / label)
