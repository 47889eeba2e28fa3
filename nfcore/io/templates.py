"""Templates of HTML pages: values are escaped, and a name that is not given is an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from typing import Any

import jinja2


def html_template(
    folder: Traversable, name: str, filters: Mapping[str, Callable[..., Any]] | None = None
) -> jinja2.Template:
    """Return the template ``name`` in ``folder``, with Jinja's filters and ``filters``.

    Values are escaped unless the template marks them as safe.

    >>> from pathlib import Path
    >>> _ = Path("page.html").write_text("<p>{{ title }}</p>")
    >>> html_template(Path(), "page.html").render(title="1 < 2")
    '<p>1 &lt; 2</p>'
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda file: (folder / file).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters or {}
    return environment.get_template(name)
