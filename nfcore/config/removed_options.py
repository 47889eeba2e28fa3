"""Training options of nfcore 0.1 that were removed: ignored if they had no effect, refused otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# By name: the values that a configuration may still have, and why the option was removed.
_REMOVED: dict[str, tuple[tuple[Any, ...], str]] = {
    "ema": ((0, None), "a falling learning rate does the same as a moving average of the weights"),
    "clip": ((None,), "a lower learning_rate does the same"),
    "anywhere": ((0.1,), "crops are drawn as with 0.1"),
    "compile": ((False, True), "a student this small gains nothing by it"),
}


def without_removed(values: Any) -> Any:
    """Return the values of a training stage without the options that nfcore 0.2 removed.

    >>> without_removed({"steps": 10, "ema": 0.0, "schedule": "constant"})
    {'steps': 10, 'schedule': 'exponential', 'final_learning_rate': 1.0}

    Raises:
        ValueError: an option that had an effect.

    """
    if not isinstance(values, Mapping):
        return values
    for name, (harmless, why) in _REMOVED.items():
        if name in values and values[name] not in harmless:
            raise ValueError(
                f"{name} = {values[name]} was removed in nfcore 0.2 ({why}): delete it; "
                "finished stages stay finished"
            )
    kept = {name: value for name, value in values.items() if name not in _REMOVED}
    if kept.get("schedule") == "constant":
        kept |= {"schedule": "exponential", "final_learning_rate": 1.0}
    return kept
