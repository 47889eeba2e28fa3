"""The viewer that exported pages share: shell, controls and camera. An exporter adds what draws the image."""

from nfcore.viewer.page import css_colour, read_element, viewer_card, viewer_page
from nfcore.viewer.region import camera_region

__all__ = ["camera_region", "css_colour", "read_element", "viewer_card", "viewer_page"]
