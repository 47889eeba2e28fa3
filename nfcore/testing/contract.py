"""Failures of rules: the rule's id and sentence, what was found and where, and what would be right."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

from nfcore.interfaces.rules import RULES
from nfcore.plugin.tracebacks import frames_of

_NOT_THE_PLUGIN = ("nfcore", "pluggy", "importlib")

Test = TypeVar("Test", bound=Callable[..., None])
Made = TypeVar("Made")


class Broken(Exception):  # noqa: N818 - it is a finding about the component, not an error of the kit
    """The component breaks a rule: the one under test, unless another is named.

    Args:
        found: what was found.
        right: what would be right.
        rule: the id of another rule, if that one is the reason.

    """

    def __init__(self, found: str, right: str, rule: str | None = None) -> None:
        super().__init__(f"found: {found}\nright: {right}")
        self.rule = rule


def rule(name: str) -> Callable[[Test], Test]:
    """Mark a standard test with the rule of ``nfcore.interfaces.rules`` that it tests.

    Any exception of the component in the test breaks the rule too. An error of the core that names a rule, at
    the boundary to the component, breaks that one.
    """
    RULES[name]  # an unknown one is a bug in the kit

    def mark(test: Test) -> Test:
        @functools.wraps(test)
        def run(self: Any, *arguments: Any, **fixtures: Any) -> None:
            __tracebackhide__ = True
            try:
                test(self, *arguments, **fixtures)
                return
            except Broken as broken:
                cause, found, broken_rule = None, str(broken), broken.rule or name
            except Exception as error:
                cause, found, broken_rule = (
                    error,
                    f"found: {described(error, self.cls)}",
                    getattr(error, "rule", name),
                )
            text = f"{broken_rule}: {RULES[broken_rule]}\n{found}"
            failure = pytest.fail.Exception(text, pytrace=False) if cause is None else AssertionError(text)
            setattr(failure, "rule", broken_rule)  # noqa: B010 - pytest's own exceptions have no such attribute
            raise failure from cause

        run.rule = name  # type: ignore[attr-defined]
        return run  # type: ignore[return-value]

    return mark


def require(holds: Any, *, found: str, right: str) -> None:
    """Break the rule under test unless ``holds``."""
    if not holds:
        raise Broken(found, right)


def require_shape(value: Tensor, right: tuple[int, ...], what: str) -> None:
    """Break the rule under test unless ``value`` has the shape ``right``."""
    require(tuple(value.shape) == right, found=f"{what} {tuple(value.shape)}", right=f"{right}")


def require_finite(values: Tensor, what: str, rule: str) -> None:
    """Break ``rule`` instead of the rule under test if a value is infinite or NaN: no other can be tested then."""
    wrong = int((~values.isfinite()).sum())
    if wrong:
        raise Broken(f"{what} not finite: {wrong} of {values.numel()} values are infinite or NaN", "numbers", rule)


def require_type(value: object, right: type, what: str, rule: str) -> None:
    """Break ``rule`` instead of the rule under test unless ``value`` is of the promised class."""
    if not isinstance(value, right):
        raise Broken(f"{what} {value!r:.60}, a {type(value).__name__}", f"an nfcore.{right.__name__}", rule)


def described(error: BaseException, component: object = None) -> str:
    """Return the type and the first line of an error, with the line of the plugin's code that raised it.

    Args:
        error: what was raised.
        component: a class in the plugin's package, or the package's name; None for any package but the core.

    """
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    module = component if isinstance(component, str) else getattr(component, "__module__", "")
    place = _place(error, module.partition(".")[0])
    return f"{text} ({place})" if place else text


def _place(error: BaseException, package: str) -> str | None:
    """Return file, line and function of the last frame of ``package`` in the traceback."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    places = [
        (code, line)
        for name, code, line in frames_of(error)
        if name == package or (not package and name not in _NOT_THE_PLUGIN)
    ]
    if not places:
        return None
    code, line = places[-1]
    path = Path(code.co_filename)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f"{shown}:{line}, in {code.co_name}"


def once(make: Callable[..., Made]) -> Callable[..., Made]:
    """Cache what a method returns for all tests of its class: a fit or an export takes long."""

    @functools.wraps(make)
    def kept(self: Any) -> Made:
        made: dict[str, Made] = type(self).made
        if make.__name__ not in made:
            with torch.random.fork_rng(devices=[]):  # the result does not depend on which test runs first
                torch.manual_seed(0)
                made[make.__name__] = make(self)
        return made[make.__name__]

    return kept
