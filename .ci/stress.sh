#!/usr/bin/env bash
# The tests that take minutes, at full speed: the real primitives under stress, and the record of every
# answer over ten million dispatches.
#
#   ARCBUS_STRESS_ROUNDS=20000000 .ci/stress.sh    ten times as long
set -euo pipefail
cd "$(dirname "$0")/.."

# One after the other: each counts on having the processors to itself.
cargo test --locked --release --test stress -- --ignored --nocapture --test-threads=1
