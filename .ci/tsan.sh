#!/usr/bin/env bash
# The real thing under ThreadSanitizer: needs a nightly toolchain with its source (`rust-src`), because
# the standard library has to be instrumented, too.
set -euo pipefail
cd "$(dirname "$0")/.."

rustup component add rust-src --toolchain nightly
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/tsan"
export RUSTFLAGS="-Zsanitizer=thread"
cargo +nightly test -Zbuild-std --locked --target x86_64-unknown-linux-gnu --test stress --test bus
