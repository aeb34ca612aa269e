# SPDX-License-Identifier: Apache-2.0
"""clang-format has nothing to change. Versions differ in what they do, so only the pinned one judges.

    check_format.py ROOT
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

from sources import CPP, files, report

VERSION = 14  # Debian 12's
SKIPPED = 77


def main(root):
    program = shutil.which(f"clang-format-{VERSION}") or shutil.which("clang-format")
    if program is None:
        print("skipped: clang-format is not installed")
        return SKIPPED
    text = subprocess.run([program, "--version"], text=True, capture_output=True, check=True).stdout
    match = re.search(r"version (\d+)", text)
    if match is None or int(match[1]) != VERSION:
        print(f"skipped: {text.strip()}; version {VERSION} judges")
        return SKIPPED
    paths = [str(path) for path in files(root, CPP)]
    done = subprocess.run([program, "--dry-run", "--Werror", *paths], text=True, capture_output=True)
    changed = sorted({line.split(":")[0] for line in done.stderr.splitlines() if ": error:" in line})
    if done.returncode and not changed:
        print(done.stderr)
        return 1
    return report([f"{Path(p).relative_to(root)}: run clang-format -i on it" for p in changed], "format")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
