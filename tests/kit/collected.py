"""What the inner pytest run of ``conftest.py`` collects: a test class for each right and wrong component."""

import re

import wrong_backbones
import wrong_encodings
import wrong_exporters
import wrong_losses
import wrong_sources
import wrong_teachers
import wrong_upsamplers

CASES = (
    wrong_backbones,
    wrong_encodings,
    wrong_exporters,
    wrong_losses,
    wrong_sources,
    wrong_teachers,
    wrong_upsamplers,
)


def group(kind: str, rule: str) -> str:
    """The name of the test class of the component that breaks ``rule``, or of the right one where it is empty."""
    return f"Test_{kind}_{re.sub('[.-]', '_', rule) or 'right'}"


for case in CASES:
    for rule, component in {"": case.RIGHT, **case.WRONG}.items():
        name = group(case.KIT.kind, rule)
        globals()[name] = type(name, (case.KIT,), {"component": component, "__module__": __name__})
