"""The base of all conformance classes: the component under test, and the tests of every component."""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from nfcore.errors import UserError, nearest
from nfcore.interfaces import Backbone, Exporter, Loss, RayEncoding, RaySource, Teacher, Upsampler
from nfcore.options import Options, parse
from nfcore.plugin.components import Kind
from nfcore.plugin.identity import Identity
from nfcore.plugin.installed import plugins
from nfcore.plugin.manager import PluginManager
from nfcore.runtime.threads import single_thread
from nfcore.testing.contract import Broken, require, rule

INTERFACES: dict[Kind, type] = {
    "ray_source": RaySource,
    "teacher": Teacher,
    "encoding": RayEncoding,
    "backbone": Backbone,
    "upsampler": Upsampler,
    "exporter": Exporter,
    "loss": Loss,
}


class OneClass(PluginManager):
    """A manager that offers a single class, whether or not a plugin offers it."""

    def __init__(self, cls: type) -> None:
        super().__init__(())
        self.cls = cls

    def load(self, kind: Kind, name: str) -> Any:
        """Return the class, whatever the name."""
        return self.cls

    def identity(self, kind: Kind, name: str) -> Identity:
        """Return the identity of the class, by which errors name it."""
        return Identity(kind, self.cls.__name__, self.cls.__module__.partition(".")[0], "(not installed)")

    def name_of(self, kind: Kind, component: object) -> str:
        """Return the class's name."""
        return self.cls.__name__


class Conformance:
    """The standard tests of a component; subclass the class of its kind, such as ``EncodingConformance``.

    Each standard test tests one rule, which has a stable id. The tests can be neither overridden nor dropped. A
    rule that is broken for a known reason is listed in ``xfail``; its test must then fail. Further tests may be
    added.

    Attributes:
        component: the component's name (or ``distribution/name``), or its class.
        options: its options; those that are left out have their defaults.
        xfail: ids of rules that are known to be broken, each with the reason.

    """

    kind: ClassVar[Kind]
    component: ClassVar[str | type[Any]]
    options: ClassVar[Mapping[str, Any]] = {}
    xfail: ClassVar[Mapping[str, str]] = {}

    made: ClassVar[dict[str, Any]]
    folder: Path

    #: Attributes that a subclass may set; subclasses of other kinds add to them.
    settings: ClassVar[frozenset[str]] = frozenset({"component", "options", "xfail", "options_in"})

    def options_in(self, folder: Path) -> Mapping[str, Any]:
        """Return the options. Override it if they name files: write those to ``folder``, which is empty."""
        return self.options

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.__module__.startswith(f"{__package__}."):
            cls._refuse_overrides()
            cls._mark_known_failures()
        cls.made = {}

    @classmethod
    def _refuse_overrides(cls) -> None:
        standard = standard_tests(cls)
        for name in vars(cls):
            if name in standard:
                raise TypeError(
                    f"{cls.__name__} overrides the standard test {name!r}: its rule may only be marked as broken, "
                    f"xfail = {{{standard[name]!r}: 'the reason'}}"
                )
            if not name.startswith("__") and name not in cls.settings and name in _own_names(cls):
                raise TypeError(f"{cls.__name__} overrides {name!r} of the conformance kit: choose another name")

    @classmethod
    def _mark_known_failures(cls) -> None:
        tests = {rule: test for test, rule in standard_tests(cls).items()}
        for name, reason in cls.xfail.items():
            if name not in tests:
                raise TypeError(f"{cls.__name__}.xfail: no rule {name!r}; {nearest(name, tests)}")
            if not reason.strip():
                raise TypeError(f"{cls.__name__}.xfail: {name!r} needs a reason")
            setattr(cls, tests[name], _expected_to_fail(getattr(cls, tests[name]), reason))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Reject marks that would drop a standard test."""
        name = metafunc.function.__name__
        rule = standard_tests(type(self)).get(name)
        dropping = {"skip", "skipif"} | (set() if rule in self.xfail else {"xfail"})
        if rule is not None and any(m.name in dropping for m in metafunc.definition.iter_markers()):
            pytest.fail(
                f"{type(self).__name__}: the standard test {name!r} can't be skipped: its rule may only be marked "
                f"as broken, xfail = {{{rule!r}: 'the reason'}}",
                pytrace=False,
            )

    @pytest.fixture(autouse=True)
    def _under_equal_conditions(self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """Run each test with an empty folder, one thread and a fixed seed; restore the global random state."""
        self.folder = tmp_path
        if "data" not in self.made:
            self.made["data"] = tmp_path_factory.mktemp("data")
        with single_thread(), torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)  # torch.manual_seed formats the stack, for GPUs not in use
            yield

    # -- the component under test ------------------------------------------------------------------------

    @property
    def components(self) -> PluginManager:
        """The manager that knows the component."""
        return plugins() if isinstance(self.component, str) else OneClass(self.component)

    @property
    def name(self) -> str:
        """The component's name in ``components``."""
        return self.component if isinstance(self.component, str) else self.component.__name__

    @property
    def cls(self) -> Any:
        """The component's class."""
        return self.components.load(self.kind, self.name)

    @property
    def given(self) -> Options:
        """The checked options."""
        if "given" not in self.made:
            values = self.options_in(self.made["data"])
            self.made["given"] = parse(self.cls.Options, values, f"{self.kind} {self.name!r}")
        options: Options = self.made["given"]
        return options

    def build(self, *context: Any) -> Any:
        """Return a new component for its kind's context, the arguments after the options."""
        return self.cls(self.given, *context)

    # -- the tests of every component --------------------------------------------------------------------

    @rule("component.interface")
    def test_it_implements_its_interface(self) -> None:
        """A class that only looks similar breaks as soon as the interface grows."""
        interface = INTERFACES[self.kind]
        require(
            isinstance(self.cls, type) and issubclass(self.cls, interface),
            found=f"{self.cls!r}",
            right=f"a subclass of nfcore.{interface.__name__}",
        )

    @rule("component.options-described")
    def test_each_option_has_a_description(self) -> None:
        """Help and documentation are generated from the options."""
        silent = [name for name, field in self.cls.Options.model_fields.items() if not field.description]
        require(
            not silent,
            found=f"no description of {', '.join(silent)}",
            right="Field(..., description='...') on each field of Options",
        )

    @rule("component.options-strict")
    def test_an_unknown_option_is_refused(self) -> None:
        """A misspelt option must not be ignored silently."""
        values = {**self.given.model_dump(), "no_such_option": 1}
        with contextlib.suppress(UserError):
            parse(self.cls.Options, values, self.name)
            raise Broken("Options takes 'no_such_option'", "a subclass of nfcore.Options, which refuses it")

    @rule("component.options-frozen")
    def test_its_options_are_immutable(self) -> None:
        """Options that changed after they were saved would describe another component."""
        name = next(iter(type(self.given).model_fields), "any_option")
        with contextlib.suppress(ValidationError):
            setattr(self.given.model_copy(), name, getattr(self.given, name, None))
            raise Broken(f"{name!r} can be assigned", "a subclass of nfcore.Options, which is frozen")

    @rule("component.options-json")
    def test_its_options_survive_json(self) -> None:
        """Runs, teachers and students are saved with their options as JSON."""
        text = self.given.model_dump_json()
        again = type(self.given).model_validate_json(text)
        require(again == self.given, found=f"{self.given!r} became {again!r}", right="the same options")


def standard_tests(cls: type[Conformance]) -> dict[str, str]:
    """Return the standard tests of a class by name, each with the id of the rule that it tests."""
    kit = [base for base in cls.__mro__ if base.__module__.startswith(f"{__package__}.")]
    return {
        name: value.rule for base in reversed(kit) for name, value in vars(base).items() if hasattr(value, "rule")
    }


def _own_names(cls: type[Conformance]) -> set[str]:
    return {name for base in cls.__mro__ if base.__module__.startswith(f"{__package__}.") for name in vars(base)}


def _expected_to_fail(test: Any, reason: str) -> Any:
    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        test(*arguments, **fixtures)

    return pytest.mark.xfail(reason=reason, strict=True)(run)


@contextlib.contextmanager
def untouched_random_state(who: str) -> Iterator[None]:
    """Break the rule that is being tested if the global random state of torch, numpy or Python changes."""
    before = _random_states()
    yield
    changed = [library for library, state in _random_states().items() if state != before[library]]
    require(
        not changed,
        found=f"{who} changes the global random state of {' and '.join(changed)}",
        right="random numbers from a generator of its own, such as torch.Generator().manual_seed(seed)",
    )


def _random_states() -> dict[str, object]:
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "numpy": repr(np.random.get_state()),
        "Python": random.getstate(),
    }


def require_short(error: UserError, right: str = "one or two lines on what would be right") -> None:
    """Break the rule under test unless an error's message is short."""
    require(is_short(error), found=f"{str(error)!r}", right=right)


def is_short(error: UserError) -> bool:
    """Whether an error's message has one or two lines and is not empty."""
    return 1 <= len(str(error).strip().splitlines()) <= 2
