"""How a broken promise is told: the sentence of the contract, what was found, what would be right."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import torch

Test = TypeVar("Test", bound=Callable[..., None])
Made = TypeVar("Made")


class Broken(Exception):  # noqa: N818 - it is a finding about the component, not an error of the kit
    """The component does not keep the sentence that is being tested."""


def sentence(text: str) -> Callable[[Test], Test]:
    """Name the sentence of the contract that a standard test tests.

    The text stands as it is here in the interface's docstring, or in that of ``nfcore.testing.base`` for what all
    kinds promise. Whatever the component raises in the test breaks the sentence too.
    """

    def mark(test: Test) -> Test:
        @functools.wraps(test)
        def run(*arguments: Any, **fixtures: Any) -> None:
            __tracebackhide__ = True
            try:
                test(*arguments, **fixtures)
            except Broken as broken:
                raise pytest.fail.Exception(f'the contract says "{text}"\n{broken}', pytrace=False) from None
            except Exception as error:
                raise AssertionError(f'the contract says "{text}"\nfound: {describe(error)}') from error

        run.sentence = text  # type: ignore[attr-defined]
        return run  # type: ignore[return-value]

    return mark


def require(holds: Any, *, found: str, right: str) -> None:
    """Break the sentence that is being tested unless ``holds``."""
    if not holds:
        raise Broken(f"found: {found}\nright: {right}")


def describe(error: BaseException) -> str:
    """Return the type and the first line of an error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def once(make: Callable[..., Made]) -> Callable[..., Made]:
    """Keep what a method makes for all tests of its class: a fit or an export takes long."""

    @functools.wraps(make)
    def kept(self: Any) -> Made:
        made: dict[str, Made] = type(self).made
        if make.__name__ not in made:
            with torch.random.fork_rng(devices=[]):  # whichever test asks first, the result is the same
                torch.manual_seed(0)
                made[make.__name__] = make(self)
        return made[make.__name__]

    return kept
