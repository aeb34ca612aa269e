# SPDX-License-Identifier: Apache-2.0
"""Every public header compiles alone.

    check_headers.py ROOT COMPILER [INCLUDE_FOLDER...]     the folders are those of mpi.h
"""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sources import files, report

FLAGS = ["-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-x", "c++"]


def compile_alone(root, compiler, folders, header):
    include = ["-I", str(root / "include")] + [word for folder in folders for word in ("-isystem", folder)]
    source = f'#include "{header.relative_to(root / "include")}"\n'
    done = subprocess.run([compiler, *FLAGS, *include, "-"], input=source, text=True, capture_output=True)
    return f"{header.relative_to(root)} does not compile alone:\n{done.stderr}" if done.returncode else None


def main(root, compiler, *folders):
    headers = files(root, (".hpp",), ("include",))
    if not headers:
        return report([f"no header under {root}/include"], "headers")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda header: compile_alone(root, compiler, folders, header), headers)
        return report([problem for problem in results if problem], f"{len(headers)} headers")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
