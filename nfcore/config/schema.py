"""A pipeline as data: which components by name, with which options, and how much work each stage does."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from nfcore.config.removed_options import without_removed
from nfcore.interfaces.budget import Budget
from nfcore.options import Options
from nfcore.plugin.components import Kind

#: The protocol of a run that was told no other: every test view is scored.
ALL_VIEWS = "all"


class Choice(BaseModel):
    """A component by name; all other keys are that component's options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(description="The component's name, or distribution/name")

    @property
    def options(self) -> dict[str, Any]:
        """The component's options as they were given."""
        return dict(self.model_extra or {})


def _choice(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


#: A component's name alone, or a table with its name and options.
Chosen = Annotated[Choice, BeforeValidator(_choice)]


class ExportChoice(Choice):
    """An exporter by name with its options, and how near to torch its files must come."""

    required_psnr: float | None = Field(
        default=None,
        gt=0,
        description="Least PSNR against torch, dB; none: the exporter's own tolerance at its precision",
    )

    @model_validator(mode="before")
    @classmethod
    def _of_0_1(cls, given: object) -> object:
        """Take ``floor`` for ``required_psnr``: nfcore 0.1 called it that."""
        if isinstance(given, dict) and "floor" in given:
            given = dict(given) | {"required_psnr": given["floor"]}
            del given["floor"]
        return given


#: An exporter's name alone, or a table with its name, its options and what is required.
ChosenExport = Annotated[ExportChoice, BeforeValidator(_choice)]


class StudentConfig(Options):
    """The parts of the student."""

    scale: int = Field(ge=1, description="Pixels per ray along each side (super-resolution factor)")
    encoding: Chosen = Field(description="Rays to features")
    backbone: Chosen = Field(description="Features to features, on the ray grid")
    upsampler: Chosen = Field(description="Features to RGB")


class StageConfig(Options):
    """The work of one stage."""

    steps: int = Field(ge=0, description="Optimisation steps")
    seconds: float | None = Field(
        None, gt=0, description="End earlier after this much wall time; the result is then not reproducible"
    )

    def budget(self, seed: int) -> Budget:
        """Return the stage's budget."""
        return Budget(self.steps, self.seconds, seed)


class TrainingConfig(StageConfig):
    """How the student is trained in one stage."""

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, values: Any) -> Any:
        return without_removed(values)

    batch: int = Field(8, ge=1, description="Views (or crops, each from its own view) per step")
    crop: int | None = Field(None, ge=1, description="Side of the square crops in rays; none takes whole views")
    shift: bool = Field(
        False, description="Lay the ray grid at any pixel, not only at multiples of the scale (augmentation)"
    )
    hard: float = Field(
        0.0, ge=0, le=1, description="Share of crops drawn from tiles in proportion to the student's error there"
    )
    loss: Chosen = Field(Choice(name="mse"), description="What a student's picture costs against its target")
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="AdamW; or Muon for the network's weight matrices and AdamW for all else"
    )
    learning_rate: float = Field(2e-3, gt=0, description="Highest learning rate")
    encoding_learning_rate: float | None = Field(
        None, gt=0, description="Highest learning rate of the encoding's weights; none takes learning_rate"
    )
    final_learning_rate: float = Field(0.005, gt=0, le=1, description="Last rate as a share of the highest")
    schedule: Literal["cosine", "exponential"] = Field("cosine", description="From the highest rate to the last")
    warmup: float = Field(0.08, ge=0, lt=1, description="Share of the steps in which the rate rises from zero")
    weight_decay: float = Field(1e-2, ge=0, description="Decoupled decay of the network's weight matrices")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Arithmetic of the network; auto takes bf16 where the hardware gains by it"
    )


class DistillConfig(TrainingConfig):
    """How the student learns from the teacher's pseudo views."""

    views: int = Field(600, ge=1, description="Pseudo views that the teacher renders")
    first_views: int = Field(64, ge=1, description="Pseudo views rendered before the first step")
    view_memory: float = Field(
        2.0,
        gt=0,
        description="GiB for pseudo views where the student is (GPU or main memory), 3 bytes a pixel, or 6 for a "
        "loss that uses opacity and depth; beyond it new views replace the oldest",
    )
    view_disk: float = Field(
        0.0,
        ge=0,
        description="GiB that pseudo views may take in a temporary file of the run's folder where view_memory "
        "does not hold them all; 0 leaves the disk alone",
    )
    background: bool = Field(
        True, description="Render pseudo views in the background while the student trains; changes no result"
    )
    photos: float = Field(
        0.0, ge=0, le=1, description="Share of crops from the training photos in the last part of distillation"
    )
    photos_from: float = Field(
        0.25, ge=0, le=1, description="Length of that last part as a share of the steps; see photos"
    )


class FinetuneConfig(TrainingConfig):
    """How the student learns from the photos."""

    evaluations: int = Field(
        4, ge=1, description="How often the student is judged on validation images; the best weights are kept"
    )


class PipelineConfig(Options):
    """A whole pipeline. Recipes are such configurations as TOML files."""

    summary: str = Field("", description="One line that says what the recipe is for")
    seed: int = Field(0, description="Seed of every random number of the run")
    device: str = Field("auto", description="What computes: cpu, cuda, cuda:1; auto takes CUDA where there is one")
    image_size: int | None = Field(
        None, ge=1, description="Longer side in pixels that the photos are scaled to; none keeps their size"
    )
    scene: Chosen = Field(description="Ray source: where the photos come from")
    teacher: Chosen = Field(description="The radiance field that is fitted to the photos")
    student: StudentConfig = Field(description="The light field that learns from the teacher")
    teach: StageConfig = Field(description="Fitting the teacher")
    distill: DistillConfig = Field(description="Training the student on pseudo views")
    finetune: FinetuneConfig = Field(description="Training the student on the photos")
    protocol: str = Field(
        "all", description="Test views that are scored: all, or those that a publication scores, by its name"
    )
    export: dict[str, ChosenExport] = Field(
        default={},
        description="Exports: a label each, with exporter, options, and required_psnr in dB",
    )

    @property
    def components(self) -> dict[str, tuple[Kind, Choice]]:
        """Each component that the pipeline names, with its kind, by its key in a recipe: ``student.encoding``."""
        return {
            "scene": ("ray_source", self.scene),
            "teacher": ("teacher", self.teacher),
            "student.encoding": ("encoding", self.student.encoding),
            "student.backbone": ("backbone", self.student.backbone),
            "student.upsampler": ("upsampler", self.student.upsampler),
            "distill.loss": ("loss", self.distill.loss),
            "finetune.loss": ("loss", self.finetune.loss),
            **{f"export.{label}": ("exporter", choice) for label, choice in self.export.items()},
        }
