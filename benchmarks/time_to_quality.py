"""Time to 24, 26 and 28 dB on lego at 100x100 pixels, teacher included: the guided and the pure student.

The learning rate schedule spans the training, so each budget is a separate training. The time to a quality is the
least budget that reaches it on the 25 test views.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.data import scene

LEVELS = (24, 26, 28)
STEPS = {"guided": (500, 1000, 2000), "mobiler2l-small": (3000, 6000)}


def measure() -> list[dict[str, Any]]:
    """Return a row for each student: seconds to each quality, and the result of each budget."""
    return [_row(recipe, steps) for recipe, steps in STEPS.items()]


def _row(recipe: str, budgets: tuple[int, ...]) -> dict[str, Any]:
    from nfcore import plugins
    from nfcore.config.resolve import configure
    from nfcore.interfaces.budget import Budget
    from nfcore.pipeline import teach

    config = configure(recipe, plugins(), scene=f"blender:{scene()}", changes=["image_size=100"])
    source = plugins().build("ray_source", config.scene.name, config.scene.options, 100)
    teacher = plugins().build("teacher", config.teacher.name, config.teacher.options, source.scene)
    began = time.process_time(), time.perf_counter()
    teach(teacher, source, Budget(config.teach.steps, None, config.seed))
    teaching = time.process_time() - began[0], time.perf_counter() - began[1]
    found = [_distilled(config, source, teacher, steps) for steps in budgets]
    row: dict[str, Any] = {"student": recipe}
    for level in LEVELS:
        reached = [spent for spent in found if spent["psnr"] >= level]
        row[f"CPU s to {level} dB"] = round(teaching[0] + reached[0]["cpu"]) if reached else "not reached"
        row[f"wall s to {level} dB"] = round(teaching[1] + reached[0]["wall"]) if reached else "not reached"
    row["teacher, CPU s"] = round(teaching[0])
    row["budgets: steps, CPU s, dB"] = "; ".join(
        f"{steps}, {spent['cpu']:.0f}, {spent['psnr']:.2f}" for steps, spent in zip(budgets, found, strict=True)
    )
    return row


def _distilled(config: Any, source: Any, teacher: Any, steps: int) -> dict[str, float]:
    """Return time and test PSNR of a distillation of ``steps`` steps."""
    import torch

    from nfcore import plugins
    from nfcore.evaluation.metrics import psnr
    from nfcore.pipeline import distill, evaluate
    from nfcore.student.light_field import build_student
    from nfcore.student.sizes import student_card

    views = source.views("test")
    torch.manual_seed(config.seed)
    card = student_card(config.student, source.scene, views.cameras.height, views.cameras.width)
    student = build_student(card, views.cameras[:8], plugins())
    began = time.process_time(), time.perf_counter()
    distill(student, teacher, source, config.distill.model_copy(update={"steps": steps}), seed=config.seed)
    spent = {"cpu": time.process_time() - began[0], "wall": time.perf_counter() - began[1]}
    return spent | {"psnr": evaluate(student, views, metrics={"psnr": psnr}).mean["psnr"]}
