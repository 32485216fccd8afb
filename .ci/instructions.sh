#!/usr/bin/env bash
# Counts the instructions of a dispatch with callgrind, and compares them with .ci/instructions.txt.
#
#   .ci/instructions.sh            fails if a count is more than 3 % above the committed count
#   .ci/instructions.sh --update   writes the counts to .ci/instructions.txt
#
# A count is the least of three processes, because each process seeds its hash tables anew and a table may
# need one more probe. The count includes the loop around the dispatch, which is equal in all cases.
set -euo pipefail
cd "$(dirname "$0")/.."

dispatches=2000
committed=.ci/instructions.txt
measured=$(mktemp)
trap 'rm -f "$measured" "$measured.out"' EXIT

bench=$(cargo bench --locked -p arcbus-benches --bench instructions --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*instructions[^"]*\)".*/\1/p' | tail -1)
[ -x "$bench" ] || { echo "the benchmark 'instructions' was not built" >&2; exit 1; }

count() { # case
    valgrind --tool=callgrind --callgrind-out-file="$measured.out" --collect-atstart=no \
        --toggle-collect='*instructions::measured*' "$bench" "$1" "$dispatches" 2>&1 |
        awk '/Collected/ { print $NF }'
}

for case in $("$bench"); do
    least=$(for _ in 1 2 3; do count "$case"; done | sort -n | head -1)
    awk -v case="$case" -v total="$least" -v n="$dispatches" \
        'BEGIN { printf "%s %.1f\n", case, total / n }' | tee -a "$measured"
done

if [ "${1:-}" = --update ]; then
    cp "$measured" "$committed"
    exit
fi
awk 'NR == FNR { budget[$1] = $2; next }
     !($1 in budget) { print "NEW   " $1 ": not in the committed file"; bad = 1; next }
     $2 > budget[$1] * 1.03 { printf "OVER  %s: %.1f, committed %.1f, %+.1f\n", $1, $2, budget[$1], $2 - budget[$1]; bad = 1 }
     END { if (!bad) print "instructions within budget"; exit bad }' "$committed" "$measured"
