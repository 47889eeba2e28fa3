"""The header of a baked field's files: all numbers that drawing it needs, next to its textures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nfcore import BakedField, Scene, UserError
from nfcore.viewer import BlockRecord
from nfcore_webgl.cells import CELL
from nfcore_webgl.coding import CodedField

#: Weight of a sample below which its values are not looked up, until it is known how many samples rays show.
LEAST_WEIGHT = 2e-5

Vector = tuple[float, float, float]
Count = Annotated[int, Field(ge=1, le=1 << 16)]
Size = tuple[Count, Count, Count]


class _Part(BaseModel):
    """A part of the header: unknown names are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Grid(_Part):
    """Where the vertices are."""

    low: Vector = Field(description="Lower corner, in the domain's units")
    spacing: Vector = Field(description="Distance between neighbouring vertices")
    shape: Size = Field(description="Vertices along x, y and z")
    cell: Literal[4] = Field(4, description="Voxels along each side of a macro cell")
    cells: Size = Field(description="Macro cells along x, y and z")


class March(_Part):
    """Where samples are along a ray."""

    low: Vector = Field(description="Rays in a box or in NDC start where they enter this box")
    high: Vector = Field(description="Its upper corner")
    step: float = Field(gt=0, description="Distance between samples, in the domain's units")
    stop: float = Field(gt=0, lt=1, description="A ray ends where less than this share of the light is left")
    least: float = Field(ge=0, lt=1, description="Values of a sample with a smaller weight are left out")


class Density(_Part):
    """density = scale * softplus(gain * raw + shift); raw = low + code / 255 * (high - low)."""

    gain: float
    shift: float
    scale: float
    low: float
    high: float


class Layer(_Part):
    """A layer of the network; ReLU follows all but the last."""

    weight: tuple[tuple[float, ...], ...] = Field(description="(outputs, inputs)")
    bias: tuple[float, ...] = Field(description="(outputs,)")


class Blocks(_Part):
    """The blocks of data; each is a file NAME.bin, and in a page the element NAME."""

    distances: BlockRecord = Field(
        BlockRecord(),
        description="A byte for each macro cell, x fastest: cells to the nearest occupied one, at most 15",
    )
    occupied: BlockRecord = Field(
        BlockRecord(),
        description="A bit for each voxel, x fastest, highest bit first: may anything be there? The corners of "
        "those with a bit are the stored vertices",
    )
    codes: BlockRecord = Field(
        BlockRecord(),
        description="For density and each value, a byte for each stored vertex: what its prediction lacks",
    )


class Header(_Part):
    """A baked field without its blocks of data; see the page on the format in nfcore's documentation."""

    format: Literal["nfcore-webgl"] = "nfcore-webgl"
    version: Literal[2] = 2
    scene: Scene
    width: int = Field(ge=1, description="Pixels of the reference image")
    height: int = Field(ge=1, description="Pixels of the reference image")
    grid: Grid
    march: March
    density: Density
    values: int = Field(ge=3, description="Values of a vertex next to its density; the first three are colour")
    harmonics: Literal[2, 3] = Field(description="Highest degree of the direction's spherical harmonics")
    network: tuple[Layer, ...]
    blocks: Blocks = Blocks()

    def with_march(self, *, least: float, stop: float) -> Header:
        """Return the header with another weight of samples that are looked up, and of light that ends a ray."""
        return self.model_copy(update={"march": self.march.model_copy(update={"least": least, "stop": stop})})

    @classmethod
    def read(cls, text: str, name: str) -> Header:
        """Return the header in ``text``; ``name`` is its file's, for errors.

        Raises:
            UserError: it is damaged, or of a newer version.

        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            issue = error.errors()[0]
            where = ".".join(str(part) for part in issue["loc"]) or "header"
            raise UserError(f"{name}: not a baked field, or damaged: {where}: {issue['msg']}") from None


def describe(baked: BakedField, field: CodedField, width: int, height: int) -> Header:
    """Return the header of ``baked``, coded as ``field``, with a reference image of that size; without blocks."""
    x, y, z = (-(-(n - 1) // CELL) for n in baked.shape)
    return Header(
        scene=baked.scene,
        width=width,
        height=height,
        grid=Grid(low=baked.box[0], spacing=baked.spacing, shape=baked.shape, cells=(x, y, z)),
        march=March(
            low=baked.bounds[0],
            high=baked.bounds[1],
            step=baked.step,
            stop=baked.stop_transmittance,
            least=LEAST_WEIGHT,
        ),
        density=Density(
            gain=baked.density_gain,
            shift=baked.density_shift,
            scale=baked.density_scale,
            low=field.low,
            high=field.high,
        ),
        values=field.values,
        harmonics=baked.harmonics_degree,
        network=tuple(
            Layer(weight=tuple(map(tuple, weight.tolist())), bias=tuple(bias.tolist()))
            for weight, bias in baked.layers
        ),
    )
