"""A saved ML Program, evaluated op by op on any platform.

``Package`` reads the files (manifest, program, weights); ``Program`` runs it in torch. Tensors that the program
declares as fp16 are computed in fp32 and rounded to fp16 after every op. How the Neural Engine accumulates inside
an op is not public and not modelled.
"""

from nfcore_coreml.evaluator.package import Package
from nfcore_coreml.evaluator.program import Program

__all__ = ["Package", "Program"]
