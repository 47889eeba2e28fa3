"""The viewer that exported pages share: shell, controls and camera. An exporter adds what draws the image."""

from nfcore.viewer.blocks import BlockRecord, block_record, inflate_block
from nfcore.viewer.page import css_colour, pack_bytes, read_element, unpack_bytes, viewer_card, viewer_page
from nfcore.viewer.region import camera_region

__all__ = [
    "BlockRecord",
    "block_record",
    "camera_region",
    "css_colour",
    "inflate_block",
    "pack_bytes",
    "read_element",
    "unpack_bytes",
    "viewer_card",
    "viewer_page",
]
