"""The kit quotes the contract: each sentence that it tests is written where authors read it."""

from __future__ import annotations

import inspect

import pytest
from collected import CASES

from nfcore import options
from nfcore.interfaces import backbone, budget, encoding, exported, exporter, loss, ray_source, teacher, upsampler
from nfcore.plugin import components
from nfcore.testing import base

READ = (
    backbone,
    encoding,
    exported,
    exporter,
    loss,
    ray_source,
    teacher,
    upsampler,
    options,
    components,
    budget,
    base,
)
CONTRACT = " ".join(" ".join(inspect.getsource(module) for module in READ).replace('"""', " ").split())
SENTENCES = sorted({s for case in CASES for s in base.standard_tests(case.KIT).values()})


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_sentence_is_in_the_contract(sentence):
    # It is in the kit's own code too, as an argument: only a second place counts there.
    assert " ".join(sentence.split()) in CONTRACT.replace(f'@sentence("{sentence}")', "")


def test_each_standard_test_says_why_it_is_there():
    silent = [
        name for case in CASES for name in base.standard_tests(case.KIT) if not getattr(case.KIT, name).__doc__
    ]
    assert silent == []
