"""Ray sources: posed photos in the formats that the field uses, and a scene made by code."""

import nfcore


@nfcore.hookimpl
def nfcore_components():
    """Offer the ray sources."""
    yield nfcore.Component(
        "ray_source",
        "blender",
        "nfcore_scenes.blender:Blender",
        summary="NeRF-synthetic layout: transforms_{train,val,test}.json and RGBA images",
    )
    yield nfcore.Component(
        "ray_source",
        "procedural",
        "nfcore_scenes.procedural:Procedural",
        summary="A scene made by code, with known geometry; needs no download",
    )
