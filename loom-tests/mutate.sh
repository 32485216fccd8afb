#!/usr/bin/env bash
# Weakens each ordering of the source in turn and runs the models of its room, which must fail: one line each
# with place, mutation, verdict, the model that failed and seconds, then the totals. Fails where a mutant
# survives that loom-tests/mutate/rooms.toml does not explain.
# --changed: the rooms that differ from main. --room NAME: one of them. --list: every ordering, without
# running. --readme: all models on all mutants, for the table in loom-tests/README.md.
set -euo pipefail
cd "$(dirname "$0")/.."
exec cargo run --locked --quiet -p arcbus-mutate -- "$@"
