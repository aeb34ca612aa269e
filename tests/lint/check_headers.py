#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles every public header alone. check_headers.py COMPILER [INCLUDE_FOLDER...]"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
compiler, *folders = sys.argv[1:]
flags = ["-std=c++20", "-fsyntax-only", "-x", "c++", "-Wall", "-Wextra", "-Werror", "-DOMPI_SKIP_MPICXX", f"-I{root / 'include'}"]
flags += [f"-isystem{folder}" for folder in folders]
headers = sorted((root / "include").rglob("*.hpp"))


def compile_alone(header):
    source = f'#include "{header.relative_to(root / "include")}"\n'
    result = subprocess.run([compiler, *flags, "-"], input=source, capture_output=True, text=True, check=False)
    return header, result.returncode, result.stderr


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    failures = [result for result in pool.map(compile_alone, headers) if result[1] != 0]
for header, _, message in failures:
    print(f"{header.relative_to(root)} does not compile alone:\n{message}")
print(f"{len(headers)} headers, {len(failures)} do not compile alone")
sys.exit(1 if failures or not headers else 0)
