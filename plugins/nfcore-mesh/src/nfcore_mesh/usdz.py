"""A textured mesh as USDZ, the format of AR Quick Look."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nfcore.io import write_atomic
from nfcore_mesh.glb import jpeg
from nfcore_mesh.texture import Textured


def write_usdz(folder: Path, textured: Textured, transform: Tensor, quality: int) -> None:
    """Write ``mesh.usdz``, y up and in metres, as AR Quick Look takes it."""
    # Not at the top: usd-core is optional.
    from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, UsdUtils, Vt

    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "texture.jpg").write_bytes(jpeg(textured.texture, quality))
        stage = Usd.Stage.CreateNew(str(Path(name) / "mesh.usdc"))
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        root = UsdGeom.Xform.Define(stage, "/Scene")
        stage.SetDefaultPrim(root.GetPrim())
        shape = UsdGeom.Mesh.Define(stage, "/Scene/Mesh")
        points = textured.mesh.vertices.double() @ transform[:3, :3].T + transform[:3, 3]
        shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points.float().numpy()))
        shape.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(textured.mesh.triangles)))
        shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(textured.mesh.triangles.int().flatten().numpy()))
        shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
        shape.CreateDoubleSidedAttr(True)
        low, high = points.amin(0).tolist(), points.amax(0).tolist()
        shape.CreateExtentAttr([Gf.Vec3f(*low), Gf.Vec3f(*high)])
        places = textured.places * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, 1.0])  # v is up in USD
        uv = UsdGeom.PrimvarsAPI(shape).CreatePrimvar(
            "st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex
        )
        uv.Set(Vt.Vec2fArray.FromNumpy(places.numpy()))
        UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(_unlit(stage, Sdf, UsdShade))
        stage.GetRootLayer().Save()
        package = Path(name) / "mesh.usdz"
        UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(Path(name) / "mesh.usdc")), str(package))
        write_atomic(folder / "mesh.usdz", package.read_bytes())


def _unlit(stage: Any, sdf: Any, shade: Any) -> Any:
    """Return a material that shows the texture as it is: the scene's light is in it."""
    types = sdf.ValueTypeNames
    material = shade.Material.Define(stage, "/Scene/Surface")
    surface = shade.Shader.Define(stage, "/Scene/Surface/Preview")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("diffuseColor", types.Color3f).Set((0.0, 0.0, 0.0))
    surface.CreateInput("roughness", types.Float).Set(1.0)
    reader = shade.Shader.Define(stage, "/Scene/Surface/Places")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", types.String).Set("st")
    texture = shade.Shader.Define(stage, "/Scene/Surface/Texture")
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", types.Asset).Set("texture.jpg")
    texture.CreateInput("sourceColorSpace", types.Token).Set("sRGB")
    for wrap in ("wrapS", "wrapT"):
        texture.CreateInput(wrap, types.Token).Set("clamp")
    texture.CreateInput("st", types.Float2).ConnectToSource(reader.CreateOutput("result", types.Float2))
    surface.CreateInput("emissiveColor", types.Color3f).ConnectToSource(texture.CreateOutput("rgb", types.Float3))
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", types.Token))
    return material
