#!/usr/bin/env bash
# Pipelines composed by name on the command line, without a line of Python: about five minutes on two cores.
# Runs go to the folder RUNS (runs/ by default). All arguments are passed to each run, such as --set teach.steps=50.
set -euo pipefail
cd "$(dirname "$0")"
runs=${RUNS:-runs}

# Components and recipes to choose from.
nfcore plugins list
nfcore recipes list

# A recipe of your own: copy one (nfcore recipes show quickstart > mine.toml) and change it.
nfcore run recipes/thin.toml --runs "$runs" "$@"

# Another export of the same student, later: without reading the photos or the teacher.
nfcore export "$runs/thin" onnx --set precision=fp16 --as small

# With a plugin run from source, without installing it; its encoding is used by name like any other.
nfcore --plugins-dir third_party_plugin run recipes/mixed.toml --runs "$runs" "$@"
