#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzzers, as many at once as there are processors, each for some seconds, and says what they did. Exit code 1 if one found something.

    run.py [--seconds S] [--build FOLDER] [TARGET ...]

Start corpora are made anew in FOLDER/seeds; what a run learns stays in FOLDER/corpus for the next one, and inputs that break
a reader go to FOLDER/findings. To see one again: FOLDER/bin/fuzz_TARGET FILE.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import seeds

ROOT = Path(__file__).resolve().parents[2]
# The longest input of each: what its reader has to say should fit, and no more, or most mutations hit payload.
MAX_BYTES = {"image": 2048, "safetensors": 2048, "checkpoint": 16384, "shard": 8192, "idx": 2048, "cifar": 8192, "tar": 8192,
             "labels": 512, "configuration": 4096, "run_folder": 8192}
LIMITS = ["-timeout=10", "-rss_limit_mb=2048"]
# What HDF5 does with a damaged file cannot be changed here: it forgets some memory, and asks for any amount before it finds
# that the file is shorter. Memory that is really used has its limit there too.
HDF5 = ("checkpoint", "shard", "run_folder")
ENVIRONMENT = {"LSAN_OPTIONS": f"suppressions={Path(__file__).parent}/hdf5_leaks.txt:print_suppressions=0",
               "ASAN_OPTIONS": "allocator_may_return_null=1"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "fuzz", help="folder of the preset `fuzz`")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all of {', '.join(MAX_BYTES)}")
    options = parser.parse_args()
    for target in options.targets:
        if target not in MAX_BYTES:
            parser.error(f"no target {target}; there are {', '.join(MAX_BYTES)}")
    return options


def make_seeds(build):
    folder = build / "seeds"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([build / "bin" / "fuzz_seeds", folder], check=True, timeout=60)
    seeds.write(folder)


def run(target, build, seconds):
    """(executions, coverage at start and end, what was found or "")."""
    corpus, findings = build / "corpus" / target, build / "findings"
    corpus.mkdir(parents=True, exist_ok=True)
    findings.mkdir(exist_ok=True)
    command = [build / "bin" / f"fuzz_{target}", corpus, build / "seeds" / target, f"-max_total_time={seconds}",
               f"-max_len={MAX_BYTES[target]}", f"-artifact_prefix={findings / target}-", "-print_final_stats=1",
               f"-malloc_limit_mb={1 << 40 if target in HDF5 else 256}", *LIMITS]
    environment = {**os.environ, **(ENVIRONMENT if target in HDF5 else {})}
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="barlow-fuzz-", dir=memory if memory.is_dir() else None) as scratch:
        try:  # reading a large corpus takes time before the first mutation
            done = subprocess.run(command, text=True, errors="replace", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  timeout=2 * seconds + 120, env={**environment, "BARLOW_FUZZ_FOLDER": scratch})
        except subprocess.TimeoutExpired:
            return 0, 0, 0, "it does not end"
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    coverage = [int(number) for number in re.findall(r"(?:INITED|NEW|pulse|REDUCE|DONE)\s+cov: (\d+)", done.stderr)] or [0]
    found = ""
    if done.returncode != 0:
        (findings / f"{target}.log").write_text(done.stderr)
        what = re.search(r"violated: .*|SUMMARY: .*|ERROR: .*|what\(\): .*", done.stderr)
        where = re.search(r"Test unit written to (.*)", done.stderr)
        found = f"{what[0] if what else f'exit {done.returncode}'}; {where[1] if where else findings / f'{target}.log'}"
    return int(executions[1]) if executions else 0, coverage[0], coverage[-1], found


def main():
    options = arguments()
    build = options.build.resolve()
    make_seeds(build)
    targets = options.targets or list(MAX_BYTES)
    num_found = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for target, result in zip(targets, pool.map(lambda target: run(target, build, options.seconds), targets)):
            executions, before, after, found = result
            print(f"{target:14} {executions:>9} executions, coverage {before} to {after}" + (f"\n  FOUND {found}" if found else ""),
                  flush=True)
            num_found += bool(found)
    print(f"{len(targets)} targets, {options.seconds} s each: {num_found} found something")
    return 1 if num_found else 0


if __name__ == "__main__":
    sys.exit(main())
