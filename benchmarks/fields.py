"""Fitted fields that several benchmarks measure: each is fitted once, then read from ``runs/fields``.

Their files are models of nfcore: ``nfcore export runs/fields/FILE webgl`` makes the page that was measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from benchmarks.data import scene
from nfcore import Budget, RaySource, Reporter, Teacher, plugins
from nfcore.pipeline import load_teacher, save_teacher

#: Where fields are kept; remove the folder to fit them again.
FIELDS = Path(__file__).resolve().parents[1] / "runs" / "fields"


class Photos(NamedTuple):
    """Photos of a scene: their ray source, folder and size in pixels."""

    kind: str
    path: str
    size: int

    @property
    def name(self) -> str:
        """The scene and its size, such as ``lego 200``."""
        return f"{Path(self.path).name} {self.size}"

    def source(self) -> RaySource:
        """Return the ray source."""
        source: RaySource = plugins().build(
            "ray_source", f"nfcore-scenes/{self.kind}", {"path": str(scene(self.path))}, self.size
        )
        return source


def fitted(photos: Photos, source: RaySource, budget: Budget, name: str = "deferred", **options: int) -> Teacher:
    """Return the teacher ``name`` of nfcore-teachers with ``options``, fitted to ``source`` once."""
    spent = f"{budget.steps}-steps" if budget.seconds is None else f"{budget.seconds:g}-s"
    chosen = [f"{value}-{key}" for key, value in options.items()]
    path = FIELDS / ("-".join([*photos.name.split(), name, *chosen, spent]) + ".safetensors")
    if not path.exists():
        teacher: Teacher = plugins().build("teacher", f"nfcore-teachers/{name}", options, source.scene)
        teacher.fit(source, budget, Reporter())
        path.parent.mkdir(parents=True, exist_ok=True)
        save_teacher(teacher.eval(), path, cameras=source.views("train").cameras)
    return load_teacher(path)
