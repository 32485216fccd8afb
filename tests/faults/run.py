#!/usr/bin/env python3
"""Plants the faults of faults.toml, one at a time, and checks that the named test then fails.

    tests/faults/run.py                 every fault
    tests/faults/run.py NAME..          the named faults
    tests/faults/run.py --check         only checks that every fault still applies; builds nothing

Prints one line a fault: CAUGHT; MISSED, the test passes with the fault; STALE, the text to change does
not stand in its file exactly once; BROKEN, the program does not compile with the fault; UNSOUND, the
test does not exist or fails without the fault. The last line counts them, and the exit status is 0 only
if every fault was caught.
"""

import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A test that hangs has failed.
TEST_SECONDS = 120


class Stale(Exception):
    """The text of an edit does not stand in its file exactly once."""


def load():
    with open(ROOT / "tests/faults/faults.toml", "rb") as file:
        return tomllib.load(file)["fault"]


def edits(fault):
    return fault["edit"] if "edit" in fault else [fault]


def pattern(find):
    """Matches the text of `find`, whatever the white space between its words."""
    return re.compile(r"\s+".join(re.escape(word) for word in find.split()))


def planted(fault, root):
    """Returns the changed text of each file that the fault touches."""
    texts = {}
    for edit in edits(fault):
        path = root / edit["file"]
        if path not in texts:
            texts[path] = path.read_text() if path.exists() else ""
        matches = list(pattern(edit["find"]).finditer(texts[path]))
        if len(matches) != 1:
            raise Stale(f"{edit['file']}: the text stands there {len(matches)} times")
        start, end = matches[0].span()
        texts[path] = texts[path][:start] + edit["replace"].strip() + texts[path][end:]
    return texts


def command(fault, *arguments):
    """Returns the cargo command for the test of a fault, and its environment."""
    words = fault["caught_by"].split()
    package, target, test = words if len(words) == 3 else ["arcbus", *words]
    environment = dict(os.environ, RUST_BACKTRACE="0", CARGO_TERM_COLOR="never")
    kind = "--bin" if package == "arcbus-examples" else "--test"
    line = ["cargo", "test", "--quiet", "--locked", "-p", package, kind, target]
    if package == "arcbus-loom":
        environment["RUSTFLAGS"] = "--cfg arcbus_loom"
        line += ["--profile", "loom"]
        environment["CARGO_TARGET_DIR"] += "-loom"
    line += arguments or ["--", test]
    return line, environment


class Copy:
    """A copy of the tracked files, in which faults are planted and tests are run."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        for name in filter(None, listing.stdout.split("\0")):
            if (ROOT / name).exists():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)

    def compiles(self, fault):
        line, environment = command(fault, "--no-run")
        done = subprocess.run(line, cwd=self.root, env=environment, capture_output=True)
        return done.returncode == 0

    def passes(self, fault):
        """Runs the test. Returns False if it fails, hangs or was not found."""
        line, environment = command(fault)
        try:
            done = subprocess.run(
                line, cwd=self.root, env=environment, capture_output=True, text=True,
                timeout=TEST_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0 and re.search(r"^running [1-9]", done.stdout, re.M) is not None

    def write(self, texts):
        for path, text in texts.items():
            path.write_text(text)

    def judge(self, fault, sound):
        try:
            texts = planted(fault, self.root)
        except Stale as stale:
            return "STALE", str(stale)
        caught_by = fault["caught_by"]
        if caught_by not in sound:
            sound[caught_by] = self.compiles(fault) and self.passes(fault)
        if not sound[caught_by]:
            return "UNSOUND", f"{caught_by} is missing or fails without a fault"
        originals = {path: path.read_text() for path in texts}
        self.write(texts)
        try:
            if not self.compiles(fault):
                return "BROKEN", "does not compile"
            return ("MISSED" if self.passes(fault) else "CAUGHT"), f"by {caught_by}"
        finally:
            self.write(originals)


def check(faults):
    """Reports the faults that do not apply any more."""
    for fault in faults:
        try:
            planted(fault, ROOT)
            yield "APPLIES", fault, ""
        except Stale as stale:
            yield "STALE", fault, str(stale)


def run(faults):
    """Plants each fault in a copy and runs its test."""
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target"))
    os.environ["CARGO_TARGET_DIR"] = str(pathlib.Path(target) / "faults")
    sound = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(folder)
        for fault in faults:
            verdict, detail = copy.judge(fault, sound)
            yield verdict, fault, detail


def main(arguments):
    faults = load()
    only_check = arguments[:1] == ["--check"]
    names = arguments[only_check:]
    unknown = set(names) - {fault["name"] for fault in faults}
    if unknown:
        sys.exit(f"no such fault: {', '.join(sorted(unknown))}")
    selected = [fault for fault in faults if not names or fault["name"] in names]
    counts = collections.Counter()
    for verdict, fault, detail in (check if only_check else run)(selected):
        counts[verdict] += 1
        if verdict != "APPLIES":
            print(f"{verdict:7} {fault['name']} {detail}".rstrip(), flush=True)
    verdicts = ["APPLIES", "STALE"] if only_check else ["CAUGHT", "MISSED", "STALE", "BROKEN", "UNSOUND"]
    print(f"{len(selected)} faults: " + ", ".join(f"{counts[v]} {v.lower()}" for v in verdicts))
    sys.exit(counts[verdicts[0]] != len(selected))


if __name__ == "__main__":
    main(sys.argv[1:])
