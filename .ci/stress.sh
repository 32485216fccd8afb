#!/usr/bin/env bash
# The tests that take minutes, at full speed: the real primitives under stress, and the record of every
# answer over ten million dispatches.
#
#   ARCBUS_STRESS_ROUNDS=20000000 .ci/stress.sh    ten times as long
set -euo pipefail
cd "$(dirname "$0")/.."

# One after the other: each counts on having the processors to itself.
for test in stress linearizability; do
    cargo test --locked --release --test "$test" -- --ignored --nocapture
done
