# SPDX-License-Identifier: Apache-2.0
"""shellcheck has no complaint about any shell script, and every script parses.

    check_scripts.py ROOT
"""
import shutil
import subprocess
import sys
from pathlib import Path

from sources import files

SKIPPED = 77


def main(root):
    stubs = sorted((root / "tests/system/jobs/stubs").iterdir())
    scripts = [str(p.relative_to(root)) for p in [*files(root, (".sh", ".sbatch", ".env")), *stubs, root / ".ci" / "run"]]
    if shutil.which("shellcheck") is None:
        print("skipped: shellcheck is not installed")
        return SKIPPED
    done = subprocess.run(["shellcheck", "--external-sources", "--shell=bash", *scripts], cwd=root)
    print(f"{len(scripts)} scripts")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
