#!/usr/bin/env bash
# Runs the tests under AddressSanitizer and LeakSanitizer, with the real primitives. Needs a nightly toolchain.
#
#   .ci/asan.sh             runs the tests
#   .ci/asan.sh --planted   frees a block too early in a copy of the tree, and fails unless the error is found
set -euo pipefail
cd "$(dirname "$0")/.."

target=x86_64-unknown-linux-gnu
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/asan"
export RUSTFLAGS="-Zsanitizer=address"
# A test asks for more memory than there is. The allocation must fail, like one without a sanitizer.
export ASAN_OPTIONS="allocator_may_return_null=1"
export LSAN_OPTIONS="suppressions=$PWD/.ci/lsan.supp:print_suppressions=0"

# Leaves out `allocation`, whose counting allocator the sanitizer replaces, and tests that only run examples.
# With `arcbus_asan`, a frame's block is freed instead of being kept for the next dispatch.
tests() {
    local flags="$RUSTFLAGS --cfg arcbus_asan"
    RUSTFLAGS="$flags" RUSTDOCFLAGS="$flags" cargo +nightly test --locked -p arcbus --target "$target" "$@"
}

if [ "${1:-}" != --planted ]; then
    tests --lib --test stress --test bus --test registry --test context --test pipeline
    tests --doc
    # Without `arcbus_asan`, the stress tests use the kept blocks, at full speed.
    export ARCBUS_STRESS_ROUNDS="${ARCBUS_STRESS_ROUNDS:-1000000}"
    exec cargo +nightly test --locked --target "$target" --release --test stress -- --ignored
fi

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | xargs -0 cp --parents -t "$copy"
cd "$copy"
export CARGO_TARGET_DIR="$CARGO_TARGET_DIR-planted"
patch -p1 -s <.ci/asan-planted.patch
if output=$(tests --test stress 2>&1); then
    echo "MISSED: a block that is freed too early"
    exit 1
fi
grep -m1 "ERROR: AddressSanitizer" <<<"$output" || {
    echo "$output"
    exit 1
}
