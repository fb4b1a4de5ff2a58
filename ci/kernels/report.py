"""report.py KERNEL LOG LIMIT BINARIES SUMMARY: turns what a guest said (see `init`) into lines for a reader, and adds its row to the file
SUMMARY. Exit status 1 unless every one of the BINARIES ran, succeeded and left nothing behind."""

import re
import sys

kernel, log, limit, expected, summary = sys.argv[1:]
RESULT = re.compile(r"test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored")
SKIP = re.compile(r"(?:^|\.\.\. )(SKIP .*)")

release, name, output, done = "never started", None, [], False
ran = passed = failed = skipped = bad = 0

with open(log, errors="replace") as lines:
    for line in lines:
        line = line.rstrip("\r\n")
        word, _, rest = line.partition(" ")
        if line.startswith("\t"):
            output.append(line[1:])
        elif word == "KERNEL":
            release = rest
            print(f"kernel {kernel}: {release}")
        elif word == "BEGIN":
            name, output = rest, []
        elif word == "DONE":
            done = True
        elif word == "END":
            name, status, seconds = rest.split()
            # A test may run its own binary once more; the summary that counts is the last one.
            results = [match for match in map(RESULT.search, output) if match]
            good, wrong = (int(n) for n in results[-1].groups()[:2]) if results else (0, 0)
            # The harness may have begun the line with the name of a test.
            skips = [match[1] for match in map(SKIP.search, output) if match]
            leftovers = [text for text in output if text.startswith("LEFT ")]
            late = float(seconds) >= float(limit)
            ran, passed, failed, skipped = ran + 1, passed + good, failed + wrong, skipped + len(skips)
            counts = f"{good} passed, {wrong} failed" if results else "no summary"
            print(f"  {name:<32} rc={status} {counts}, {len(skips)} skips, {seconds} s{' TIME LIMIT' if late else ''}")
            bad += status != "0" or bool(leftovers)
            for text in output if status != "0" else skips + leftovers:
                print(f"    {text}")
            name = None
        elif line:
            print(f"    guest: {line}")

if name:
    print(f"  {name:<32} did not end; its output so far:")
    for text in output:
        print(f"    {text}")
ok = done and bad == 0 and ran == int(expected)
with open(summary, "a") as rows:
    rows.write(f"{kernel:<7}{release:<32}{ran:>3} of {expected:>2}{passed:>8}{failed:>8}{skipped:>9}   {'ok' if ok else 'FAILED'}\n")
sys.exit(not ok)
