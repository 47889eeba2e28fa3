"""The viewer that exported pages share: shell, controls and camera. An exporter adds what draws the image."""

from nfcore.viewer.blocks import BlockRecord, block_record, inflate_block
from nfcore.viewer.page import css_colour, pack_bytes, read_element, unpack_bytes, viewer_card, viewer_page
from nfcore.viewer.region import camera_region
from nfcore.viewer.shaders import GLSL, WGSL, ShaderLanguage, fill_shader, shader_network, shader_numbers

__all__ = [
    "GLSL",
    "WGSL",
    "BlockRecord",
    "ShaderLanguage",
    "block_record",
    "camera_region",
    "css_colour",
    "fill_shader",
    "inflate_block",
    "pack_bytes",
    "read_element",
    "shader_network",
    "shader_numbers",
    "unpack_bytes",
    "viewer_card",
    "viewer_page",
]
