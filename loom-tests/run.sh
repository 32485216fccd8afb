#!/usr/bin/env bash
# Runs the models. Prints a line for each, PASS or FAIL, and then the number of runs and states explored.
# A test named "should panic" is a weakened twin, which passes by failing. Explores every order of steps,
# except in twins and in models that always have a bound (`explore_bounded` says why). With --quick, all
# models explore the orders with two or three preemptions, which show every state that the models count.
set -uo pipefail
cd "$(dirname "$0")/.."

case "${1-}" in
    --quick) unset ARCBUS_LOOM_FULL ;;
    "") export ARCBUS_LOOM_FULL=1 ;;
    *) echo "usage: $0 [--quick]" >&2; exit 2 ;;
esac

# The models have a separate target directory, because their flags would make cargo rebuild everything.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target/loom}"
export RUSTFLAGS="${RUSTFLAGS:-} --cfg arcbus_loom" RUST_BACKTRACE=0 CARGO_TERM_COLOR=never

log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo test --locked -p arcbus-loom --tests --profile loom --no-fail-fast -- --show-output >"$log" 2>&1
status=$?

sed -nE 's/^test (.*) \.\.\. ok$/PASS \1/p; s/^test (.*) \.\.\. FAILED$/FAIL \1/p' "$log"
grep -E '^[^:]+: [0-9]+ runs in ' "$log"
if [ "$status" -ne 0 ]; then
    cat "$log" >&2
elif ! grep -qE '^test .* \.\.\. ok$' "$log"; then
    echo "no model was run" >&2
    status=1
fi
exit "$status"
