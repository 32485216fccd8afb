#!/usr/bin/env bash
# Plants one fault after the other in a copy of the tree and checks that the test, or the model, that
# stands in the patch's first line then fails. See README.md.
#
#   tests/faults/run.sh [NAME..]     all, or those named
#
# One line each: CAUGHT, MISSED (the test passes), STALE (the patch does not apply any more) or BROKEN
# (it does not compile). Before that, UNSOUND for a test that is not there or fails without a fault.
set -euo pipefail
cd "$(dirname "$0")/../.."

patches=tests/faults
copy=$(mktemp -d)
trap 'rm -rf "$copy" "$copy".*' EXIT
git ls-files -z | xargs -0 cp --parents -t "$copy"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/faults"
export CARGO_TERM_COLOR=never RUST_BACKTRACE=0

run() { # ["loom"] TARGET TEST [cargo options]
    if [ "$1" = loom ]; then
        shift
        RUSTFLAGS="--cfg arcbus_loom" cargo test --quiet --locked -p arcbus-loom --profile loom \
            --test "$1" "${@:3}" -- --exact "$2"
    else
        cargo test --quiet --locked --test "$1" "${@:3}" -- "$2"
    fi
}

compiles() { # like run
    (cd "$copy" && run "$@" --no-run) >"$copy.log" 2>&1
}

# A test that hangs has failed, too.
passes() { # like run
    (cd "$copy" && export -f run && timeout 60 bash -c 'run "$@"' _ "$@") >"$copy.log" 2>&1
}

caught_by() { # PATCH..
    sed -sn '1s/^caught-by: //p' "$@"
}

check_without_fault() { # like run
    compiles "$@" && passes "$@" && grep -q '^running [1-9]' "$copy.log" || echo "UNSOUND $*"
}

judge() { # PATCH
    local name caught_by
    name=$(basename "$1" .patch)
    read -ra caught_by < <(caught_by "$1")
    patch -d "$copy" -p1 -s --dry-run <"$1" >/dev/null 2>&1 || { echo "STALE  $name"; return; }
    patch -d "$copy" -p1 -s <"$1"
    if ! compiles "${caught_by[@]}"; then
        echo "BROKEN $name: does not compile"
    elif passes "${caught_by[@]}"; then
        echo "MISSED $name by ${caught_by[*]}"
    else
        echo "CAUGHT $name by ${caught_by[*]}"
    fi
    patch -d "$copy" -p1 -s -R <"$1"
}

selected=("${@/%/.patch}")
[ $# -gt 0 ] && selected=("${selected[@]/#/$patches/}") || selected=("$patches"/*.patch)
caught_by "${selected[@]}" | sort -u | while read -ra test; do
    check_without_fault "${test[@]}" </dev/null | tee -a "$copy.verdicts"
done
for patch in "${selected[@]}"; do
    judge "$patch" | tee -a "$copy.verdicts"
done
! grep -vq '^CAUGHT' "$copy.verdicts"
