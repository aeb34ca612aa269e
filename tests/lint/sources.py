# SPDX-License-Identifier: Apache-2.0
"""The project's own files, for the checks beside this one."""
from pathlib import Path

FOLDERS = ("include", "src", "data_tools", "tests", "bench", "jobs", ".ci")
CPP = (".hpp", ".cpp", ".cuh", ".cu")


def files(root, suffixes=None, folders=FOLDERS):
    """Paths below the given folders of root whose suffix is one of suffixes, if given, sorted."""
    found = []
    for folder in folders:
        top = Path(root) / folder
        found += [p for p in top.rglob("*") if (suffixes is None or p.suffix in suffixes) and p.is_file()]
    return sorted(found)


def report(problems, what):
    """Prints the problems; returns the exit code."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    return 1 if problems else 0
