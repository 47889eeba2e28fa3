"""The identity of a component: its distribution and name, for errors that it causes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from nfcore.plugin.components import Kind


@dataclass(frozen=True)
class Identity:
    """A component as its plugin offers it.

    Args:
        kind: which interface it implements.
        name: its own name.
        distribution: the distribution that offers it.
        version: of the distribution.

    """

    kind: Kind
    name: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.kind} {self.distribution}/{self.name} {self.version}"


_ATTRIBUTE = "_nfcore_identity"


def mark(component: object, identity: Identity) -> None:
    """Attach ``identity`` to ``component``; copies keep it."""
    with contextlib.suppress(AttributeError):  # a class with slots is named by its class
        object.__setattr__(component, _ATTRIBUTE, identity)


def named(component: object) -> str:
    """Return how errors name a component: kind, ``distribution/name`` and version.

    A component that was not built by name is named by its class.
    """
    identity = getattr(component, _ATTRIBUTE, None)
    return str(identity) if isinstance(identity, Identity) else type(component).__qualname__
