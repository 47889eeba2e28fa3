"""Runs saved packages: with Core ML on macOS, with this plugin's evaluator elsewhere."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

import nfcore
from nfcore_coreml.evaluator import Package, Program
from nfcore_coreml.forms import NETWORK, OF_RAYS, PACKAGE, RAYS
from nfcore_coreml.toolchain import coremltools, quiet

#: The first macOS that runs a package of each specification version (7: iOS 16, 8: iOS 17, 9: iOS 18).
_FIRST_MACOS = {7: 13, 8: 14, 9: 15}

#: Runs all packages in order, for one camera or its rays: tensors by name to tensors by name.
Run = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def runner(folder: Path, threads: int | None) -> nfcore.Runner:
    """Return a runner of the packages in ``folder``, in any form.

    Args:
        folder: the export's folder.
        threads: torch's threads, if the evaluator runs the packages; Core ML has no such setting.

    Raises:
        UserError: a package is missing or damaged.

    """
    packages = [Package.read(folder / name) for name in packages_in(folder)]
    by_core_ml = all(map(_runs_here, packages))
    run, verified_by = (_core_ml if by_core_ml else _evaluator)(packages, threads)
    if {given.name for given in packages[0].inputs} != {"origins", "directions"}:
        return nfcore.Runner(verified_by, _one_by_one(("pose", "intrinsics"), run), timed=by_core_ml)
    metadata = packages[0].model.description.metadata.userDefined
    try:
        size = (int(metadata[f"nfcore.{name}"]) for name in ("height", "width", "pixels_per_ray"))
        render = nfcore.camera_render(_one_by_one(("origins", "directions"), run), *size)
    except ValueError:
        raise nfcore.UserError(
            f"{packages[0].path}: not by nfcore-coreml: its metadata has no image size"
        ) from None
    return nfcore.Runner(verified_by, render, timed=by_core_ml)


def packages_in(folder: Path) -> tuple[str, ...]:
    """Return the names of the packages of an export, in the order in which they run."""
    forms: tuple[tuple[str, ...], ...] = ((PACKAGE,), (RAYS, NETWORK), (OF_RAYS,))
    return next((names for names in forms if (folder / names[0]).exists()), forms[0])


def _runs_here(package: Package) -> bool:
    first = _FIRST_MACOS.get(package.model.specificationVersion)
    macos = platform.mac_ver()[0]
    return bool(macos) and first is not None and int(macos.split(".")[0]) >= first


def _core_ml(packages: list[Package], threads: int | None) -> tuple[Run, str]:
    with quiet():
        models = [coremltools.models.MLModel(str(package.path)) for package in packages]

    def run(values: dict[str, Tensor]) -> dict[str, Tensor]:
        arrays = {name: tensor.numpy() for name, tensor in values.items()}
        for model in models:
            arrays = model.predict(arrays)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    return run, f"Core ML (coremltools {coremltools.__version__}) on macOS {platform.mac_ver()[0]}"


def _evaluator(packages: list[Package], threads: int | None) -> tuple[Run, str]:
    programs = [Program(package) for package in packages]

    def run(values: dict[str, Tensor]) -> dict[str, Tensor]:
        with _torch_threads(threads):
            for program in programs:
                values = program(**values)
        return values

    return run, "nfcore-coreml's evaluator (op by op, fp16 rounding; not the Neural Engine)"


@contextmanager
def _torch_threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _one_by_one(names: tuple[str, str], run: Run) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a render function for any number of views: the packages have a fixed batch of 1."""

    def render(*tensors: Tensor) -> Tensor:
        views = zip(*(tensor.detach().cpu().float().split(1) for tensor in tensors), strict=True)
        return torch.cat([run(dict(zip(names, view, strict=True)))["image"].float() for view in views])

    return render
