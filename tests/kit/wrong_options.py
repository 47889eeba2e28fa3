"""What can be wrong with any component: its class and its options."""

from __future__ import annotations

from pydantic import ConfigDict, Field, field_serializer


def wrong_options(right: type) -> dict[str, type]:
    """For each rule of every component, a class like ``right`` that breaks it."""

    class Alike:
        Options = right.Options

        def __new__(cls, *arguments):
            return right(*arguments)

    class Silent(right):
        class Options(right.Options):
            width: int = 3

    class TakesAnything(right):
        class Options(right.Options):
            model_config = ConfigDict(extra="ignore")

    class Mutable(right):
        class Options(right.Options):
            model_config = ConfigDict(frozen=False)
            width: int = Field(3, description="Width")

    class Forgetful(right):
        class Options(right.Options):
            width: int = Field(3, description="Width")

            @field_serializer("width", when_used="json")
            def _halved(self, width: int) -> int:
                return width // 2

    return {
        "component.interface": Alike,
        "component.options-described": Silent,
        "component.options-strict": TakesAnything,
        "component.options-frozen": Mutable,
        "component.options-json": Forgetful,
    }
