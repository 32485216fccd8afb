#!/usr/bin/env bash
# Runs the tests under ThreadSanitizer, with the real primitives. Needs a nightly toolchain with its source
# (`rust-src`), because the standard library must be instrumented too.
set -euo pipefail
cd "$(dirname "$0")/.."

rustup component add rust-src --toolchain nightly
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/tsan"
export RUSTFLAGS="-Zsanitizer=thread"
cargo +nightly test -Zbuild-std --locked --target x86_64-unknown-linux-gnu --test stress --test bus
