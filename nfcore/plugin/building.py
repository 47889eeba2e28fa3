"""Builds a component from its class, its options and its kind's context; each mistake is one line."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from nfcore.errors import NfcoreError, PluginError, UserError
from nfcore.options import Options, parse
from nfcore.plugin.components import Kind
from nfcore.plugin.guard import guarded
from nfcore.plugin.identity import Identity
from nfcore.plugin.isolation import is_users, reason

#: Arguments that each kind's constructor takes after its options; optional for a ray source.
CONTEXT: dict[Kind, tuple[str, ...]] = {
    "ray_source": ("image_size",),
    "teacher": ("scene",),
    "encoding": ("scene",),
    "backbone": ("in_channels",),
    "upsampler": ("in_channels", "scale"),
    "exporter": (),
    "loss": (),
}
_OPTIONAL = {"image_size"}


def make(cls: Any, identity: Identity, options: Mapping[str, Any] | Options, context: tuple[Any, ...]) -> Any:
    """Return ``cls`` called with its checked options and ``context``.

    Args:
        cls: the component's class, as the plugin names it.
        identity: its kind, and its name in errors.
        options: as a mapping, or as the class's own ``Options``.
        context: the arguments after the options, see ``CONTEXT``.

    Raises:
        UserError: wrong options or a wrong context, or the class rejects them.
        PluginError: the class can't be built as its kind requires.

    """
    where, kind = str(identity), identity.kind
    checked = _checked(cls, where, options)
    expected = ", ".join(("options", *CONTEXT[kind]))
    least = sum(name not in _OPTIONAL for name in CONTEXT[kind])
    if not least <= len(context) <= len(CONTEXT[kind]):
        given = "nothing" if not context else f"{len(context)} more"
        raise UserError(f"{where} is built with ({expected}), not with options and {given}")
    try:
        inspect.signature(cls).bind(checked, *context)
    except TypeError as error:
        raise PluginError(f"{where} can't be built with ({expected}), as its kind is: {error}") from None
    try:
        with guarded(filters=False, random=False):
            return cls(checked, *context)
    except NfcoreError:
        raise
    except BaseException as error:
        if is_users(error):
            raise
        raise UserError(f"{where} can't be built: {reason(error)}") from error


def _checked(cls: Any, where: str, options: Mapping[str, Any] | Options) -> Options:
    model = getattr(cls, "Options", None)
    if not (isinstance(cls, type) and isinstance(model, type) and issubclass(model, Options)):
        raise PluginError(f"{where}: {cls!r} is no class with Options, a subclass of nfcore.Options")
    if not isinstance(options, Options):
        return parse(model, options, where)
    if not isinstance(options, model):
        other, own = type(options).__qualname__, model.__qualname__
        raise UserError(f"{where}: its options are a mapping or {own}, not {other}")
    return options
