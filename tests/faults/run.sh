#!/usr/bin/env bash
# Plants one fault after the other in a copy of the tree and checks that the test, or the model, that
# stands in the patch's first line then fails.
#
#   tests/faults/run.sh [NAME..]     all, or those named: `CAUGHT name`, `MISSED`, `STALE` or `BROKEN`
#
# A test line is `caught-by: TARGET TEST`; a model's is `caught-by: loom TARGET TEST`.
set -euo pipefail
cd "$(dirname "$0")/../.."

patches=tests/faults
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | xargs -0 cp --parents -t "$copy"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/faults"
export CARGO_TERM_COLOR=never RUST_BACKTRACE=0

# A test that hangs has failed, too.
run() { # ["loom"] TARGET TEST [cargo options]
    if [ "$1" = loom ]; then
        shift
        RUSTFLAGS="--cfg arcbus_loom" cargo test --quiet --locked -p arcbus-loom --profile loom \
            --test "$1" "${@:3}" -- --exact "$2"
    else
        cargo test --quiet --locked --test "$1" "${@:3}" -- "$2"
    fi
}

judge() { # PATCH
    local name caught_by
    name=$(basename "$1" .patch)
    read -ra caught_by < <(sed -n '1s/^caught-by: //p' "$1")
    patch -d "$copy" -p1 -s --dry-run <"$1" >/dev/null 2>&1 || { echo "STALE  $name"; return; }
    patch -d "$copy" -p1 -s <"$1"
    if ! (cd "$copy" && run "${caught_by[@]}" --no-run) >"$copy.log" 2>&1; then
        echo "BROKEN $name: does not compile"
    elif (cd "$copy" && export -f run && timeout 60 bash -c 'run "$@"' _ "${caught_by[@]}") >"$copy.log" 2>&1; then
        echo "MISSED $name by ${caught_by[*]}"
    else
        echo "CAUGHT $name by ${caught_by[*]}"
    fi
    patch -d "$copy" -p1 -s -R <"$1"
}

selected=("${@/%/.patch}")
[ $# -gt 0 ] && selected=("${selected[@]/#/$patches/}") || selected=("$patches"/*.patch)
for patch in "${selected[@]}"; do
    judge "$patch" | tee -a "$copy.verdicts"
done
! grep -vq '^CAUGHT' "$copy.verdicts"
