"""Which offer of which distribution a component was built from, so that whatever it does wrong names it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from nfcore.plugin.components import Kind


@dataclass(frozen=True)
class Identity:
    """A component as it is offered.

    Args:
        kind: which interface it implements.
        name: its own name.
        distribution: what offers it.
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
    """Keep ``identity`` with ``component``, through copies of it too."""
    with contextlib.suppress(AttributeError):  # a class with slots: it is named by its class
        object.__setattr__(component, _ATTRIBUTE, identity)


def named(component: object) -> str:
    """Return how errors name a component: kind, ``distribution/name`` and version.

    A component that was assembled by hand, not built by name, is named by its class.
    """
    identity = getattr(component, _ATTRIBUTE, None)
    return str(identity) if isinstance(identity, Identity) else type(component).__qualname__
