#!/usr/bin/env bash
# The models, one test line each, with the runs and the states that they saw.
#
#   loom-tests/run.sh            every order of steps
#   loom-tests/run.sh --quick    the orders with two or three preemptions
set -euo pipefail
cd "$(dirname "$0")/.."

[ "${1:-}" = --quick ] || export ARCBUS_LOOM_FULL=1
# A target folder of its own: the private cfg builds everything anew.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/loom"
export RUSTFLAGS="--cfg arcbus_loom" RUST_BACKTRACE=0
cargo test --locked -p arcbus-loom --profile loom --no-fail-fast --tests -- --show-output |
    grep -E '^test |^test result| runs in ' | grep -v '^test result: ok. 0 passed'
