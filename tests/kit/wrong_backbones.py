"""For each rule of backbones, one that breaks it and no other."""

from __future__ import annotations

import right
from wrong_options import wrong_options
from wrong_parts import wrong_networks, wrong_parts

from nfcore.testing import BackboneConformance

WRONG = {**wrong_options(right.Backbone), **wrong_parts(right.Backbone), **wrong_networks(right.Backbone)}
KIT, RIGHT = BackboneConformance, right.Backbone
