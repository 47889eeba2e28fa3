"""The plugin's module: light, and what it says is there."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import nfcore


def test_the_plugin_module_imports_no_torch():
    code = "import blob_fields, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_its_components_and_its_recipe_are_found_by_name():
    plugins = nfcore.plugins()
    assert plugins.load("teacher", "blob-fields/blobs").__name__ == "Blobs"
    assert plugins.load("encoding", "blob-fields/plucker-fourier").__name__ == "PluckerFourier"
    recipe = tomllib.loads(plugins.recipe("blobs").path.read_text(encoding="utf-8"))
    assert recipe["teacher"]["name"] == "blobs"
    assert recipe["student"]["encoding"]["name"] == "plucker-fourier"
