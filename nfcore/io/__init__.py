"""Files: written atomically, read only where they are regular; text, tensors, images, videos, templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nfcore.runtime.lazy_imports import lazy_names

if TYPE_CHECKING:
    from nfcore.io.atomic import atomic_path as atomic_path
    from nfcore.io.atomic import write_atomic as write_atomic
    from nfcore.io.atomic import write_json as write_json
    from nfcore.io.files import inside as inside
    from nfcore.io.files import open_file as open_file
    from nfcore.io.files import read_file as read_file
    from nfcore.io.files import read_text as read_text
    from nfcore.io.images import save_png as save_png
    from nfcore.io.images import to_bytes as to_bytes
    from nfcore.io.json_files import parse_json as parse_json
    from nfcore.io.json_files import read_json as read_json
    from nfcore.io.json_files import read_json_bytes as read_json_bytes
    from nfcore.io.templates import html_template as html_template
    from nfcore.io.tensors import State as State
    from nfcore.io.tensors import load_state as load_state
    from nfcore.io.tensors import save_state as save_state
    from nfcore.io.toml_files import read_toml as read_toml
else:
    __getattr__, __dir__, __all__ = lazy_names(__name__)
