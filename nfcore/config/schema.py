"""The schema of a pipeline: its components by name, their options, and the work of each stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from nfcore.config.removed_options import without_removed
from nfcore.errors import UserError
from nfcore.io.records import LONGEST_SIDE
from nfcore.options import Options
from nfcore.plugin.components import Kind

if TYPE_CHECKING:
    from nfcore.interfaces.budget import Budget

#: The default protocol: every test view is scored.
ALL_VIEWS = "all"


class Choice(BaseModel):
    """A component by name; all other keys are that component's options.

    >>> Choice(name="voxels", resolution=128).options
    {'resolution': 128}
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(description="The component's name, or distribution/name")

    @property
    def options(self) -> dict[str, Any]:
        """The component's options, as given."""
        return dict(self.model_extra or {})


def _choice(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


#: A component's name, or a table with its name and options.
Chosen = Annotated[Choice, BeforeValidator(_choice)]


class ExportChoice(Choice):
    """An exporter by name with its options, and how close to torch its files must be."""

    required_psnr: float | None = Field(
        default=None,
        gt=0,
        description="Least PSNR against torch, dB; none uses the exporter's own tolerance at its precision",
    )

    @model_validator(mode="before")
    @classmethod
    def _of_0_1(cls, given: object) -> object:
        """Accept ``floor``, the name of ``required_psnr`` in nfcore 0.1."""
        if isinstance(given, dict) and "floor" in given:
            given = dict(given) | {"required_psnr": given["floor"]}
            del given["floor"]
        return given


#: An exporter's name, or a table with its name, its options and what is required.
ChosenExport = Annotated[ExportChoice, BeforeValidator(_choice)]


class StudentConfig(Options):
    """The parts of the student."""

    scale: int = Field(
        ge=1, le=LONGEST_SIDE, description="Pixels per ray along each side (super-resolution factor)"
    )
    encoding: Chosen = Field(description="Rays to features")
    backbone: Chosen = Field(description="Features to features, on the ray grid")
    upsampler: Chosen = Field(description="Features to RGB")


class StageConfig(Options):
    """The work of one stage."""

    steps: int = Field(ge=0, description="Optimisation steps")
    seconds: float | None = Field(
        None, gt=0, description="End earlier after this much wall time; the result is then not reproducible"
    )

    share: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Share of the run's minutes; what is left over evaluates, renders and exports",
    )

    def budget(self, seed: int) -> Budget:
        """Return the stage's budget.

        >>> StageConfig(steps=100).budget(seed=0)
        Budget(steps=100, seconds=None, seed=0)
        """
        from nfcore.interfaces.budget import Budget  # imports torch, which completion does not wait for

        return Budget(self.steps, self.seconds, seed)


class TrainingConfig(StageConfig):
    """How the student is trained in one stage."""

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, values: Any) -> Any:
        return without_removed(values)

    batch: int = Field(8, ge=1, description="Views (or crops, each from its own view) per step")
    crop: int | None = Field(None, ge=1, description="Side of the square crops in rays; none uses whole views")
    shift: bool = Field(
        False, description="Start the ray grid at any pixel, not only at multiples of the scale (augmentation)"
    )
    hard: float = Field(
        0.0, ge=0, le=1, description="Share of crops drawn from tiles in proportion to the student's error there"
    )
    loss: Chosen = Field(Choice(name="mse"), description="Loss between the student's image and its target")
    optimizer: Literal["adamw", "muon"] = Field(
        "adamw", description="AdamW; or Muon for the network's weight matrices and AdamW for the rest"
    )
    learning_rate: float = Field(2e-3, gt=0, description="Highest learning rate")
    encoding_learning_rate: float | None = Field(
        None, gt=0, description="Highest learning rate of the encoding's weights; none uses learning_rate"
    )
    final_learning_rate: float = Field(0.005, gt=0, le=1, description="Last rate as a share of the highest")
    schedule: Literal["cosine", "exponential"] = Field("cosine", description="From the highest rate to the last")
    warmup: float = Field(0.08, ge=0, lt=1, description="Share of the steps in which the rate rises from zero")
    weight_decay: float = Field(1e-2, ge=0, description="Decoupled decay of the network's weight matrices")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="Arithmetic of the network; auto uses bf16 where the hardware is faster with it"
    )


class DistillConfig(TrainingConfig):
    """How the student is trained on the teacher's pseudo views."""

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
        "can't store them all; 0 does not use the disk",
    )
    background: bool = Field(
        True,
        description="Render pseudo views in the background during training; does not change the result",
    )
    photos: float = Field(
        0.0, ge=0, le=1, description="Share of crops from the training photos in the last part of distillation"
    )
    photos_from: float = Field(0.25, ge=0, le=1, description="Length of that last part, as a share of the steps")


class FinetuneConfig(TrainingConfig):
    """How the student is trained on the photos."""

    evaluations: int = Field(
        4, ge=1, description="How often the student is scored on validation images; the best weights are kept"
    )


class StudentTraining(NamedTuple):
    """A student's parts, and how it is trained."""

    student: StudentConfig
    distill: DistillConfig
    finetune: FinetuneConfig


class PipelineConfig(Options):
    """A complete pipeline, with or without a student; a recipe is one as a TOML file."""

    summary: str = Field("", description="What the recipe is for, in one line")
    seed: int = Field(0, description="Seed of every random number of the run")
    device: str = Field(
        "auto",
        description="Device to compute on: cpu, cuda, cuda:1 or mps; auto uses a GPU where available",
    )
    image_size: int | None = Field(
        None,
        ge=1,
        le=LONGEST_SIDE,
        description="Longer side in pixels that the photos are scaled to; none keeps their size",
    )
    minutes: float | None = Field(
        None,
        gt=0,
        description="Time for the whole run: steps follow from it, by the stages' shares and the speed measured "
        "here when the run starts",
    )
    calibrated_minutes: float | None = Field(
        None, description="Minutes that the steps were calibrated for; written by the run"
    )
    scene: Chosen = Field(description="Ray source that reads the photos")
    teacher: Chosen = Field(description="The radiance field that is fitted to the photos")
    student: StudentConfig | None = Field(
        None, description="The light field that is trained on the teacher's views; none: the teacher is the result"
    )
    teach: StageConfig = Field(description="Fitting the teacher")
    distill: DistillConfig | None = Field(None, description="Training the student on pseudo views")
    finetune: FinetuneConfig | None = Field(None, description="Training the student on the photos")
    protocol: str = Field(
        "all", description="Test views that are scored: all, or the name of a publication for its own"
    )
    export: dict[str, ChosenExport] = Field(
        default={},
        description="Exports by label: each with exporter, options, and required_psnr in dB",
    )

    @model_validator(mode="after")
    def _student_is_trained(self) -> Self:
        given = {name: getattr(self, name) is not None for name in StudentTraining._fields}
        if any(given.values()) and not all(given.values()):
            missing = " and ".join(name for name, there in given.items() if not there)
            raise ValueError(f"student, distill and finetune go together: {missing} is missing")
        return self

    def student_training(self) -> StudentTraining:
        """Return the student's parts, and how it is trained.

        Raises:
            UserError: the pipeline has no student.

        """
        if self.student is None or self.distill is None or self.finetune is None:
            raise UserError("this pipeline has no student: its teacher is the result")
        return StudentTraining(self.student, self.distill, self.finetune)

    @property
    def components(self) -> dict[str, tuple[Kind, Choice]]:
        """The pipeline's components with their kinds, by their keys in a recipe, such as ``student.encoding``."""
        found: dict[str, tuple[Kind, Choice]] = {
            "scene": ("ray_source", self.scene),
            "teacher": ("teacher", self.teacher),
        }
        if self.student is not None:
            student, distill, finetune = self.student_training()
            found |= {
                "student.encoding": ("encoding", student.encoding),
                "student.backbone": ("backbone", student.backbone),
                "student.upsampler": ("upsampler", student.upsampler),
                "distill.loss": ("loss", distill.loss),
                "finetune.loss": ("loss", finetune.loss),
            }
        return found | {f"export.{label}": ("exporter", choice) for label, choice in self.export.items()}
