#!/usr/bin/env bash
# Weakens each ordering of the source in turn and runs the models of its room, which must fail. Prints a line
# for each mutant with the place, mutation, verdict, failed model and seconds, and then the totals. Fails if a
# mutant survives that loom-tests/mutate/rooms.toml does not explain.
#
#   --changed      runs the rooms that differ from main
#   --room NAME    runs the named room
#   --list         prints every ordering, without running a model
#   --readme       runs all models on all mutants, and writes the table in loom-tests/README.md
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo run --locked --quiet -p arcbus-mutate -- "$@"
