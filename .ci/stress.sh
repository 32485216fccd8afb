#!/usr/bin/env bash
# Runs the tests that take minutes, at full speed. They put the real primitives under stress, and record
# every answer of ten million dispatches.
#
#   ARCBUS_STRESS_ROUNDS=20000000 .ci/stress.sh    ten times as long
set -euo pipefail
cd "$(dirname "$0")/.."

# Runs the tests one after the other, because each test expects to have all processors.
cargo test --locked --release --test stress -- --ignored --nocapture --test-threads=1
