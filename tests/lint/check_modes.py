# SPDX-License-Identifier: Apache-2.0
"""A script whose first line names its interpreter can be started by its name.

    check_modes.py ROOT
"""
import os
import sys
from pathlib import Path

from sources import files, report


def has_interpreter(path):
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def main(root):
    scripts = [path for path in files(root) if has_interpreter(path)]
    problems = [f"{path.relative_to(root)}: chmod +x, or no #! line" for path in scripts if not os.access(path, os.X_OK)]
    return report(problems, f"modes of {len(scripts)} scripts")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
