#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole training step, ours and PyTorch's, by turns on one machine; writes bench/results/DEVICE-COMMIT.json.

A machine's clock and its neighbours change by the minute, so only ratios of runs beside each other mean anything: each round runs every
program once, the ratio is the median over rounds, and of several peers the fastest counts.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "build/cpu-release/bin", type=pathlib.Path, help="folder of bench_step")
    parser.add_argument("--peer", action="append", metavar="PYTHON", help="a python3 with PyTorch; several are compared (default /usr/bin/python3)")
    parser.add_argument("--compile", action="store_true", help="each peer also with torch.compile, where it has it")
    parser.add_argument("--precision", nargs="+", default=["bf16", "fp32"])
    parser.add_argument("--batch", type=int, default=32, help="images per step; an image is two views")
    parser.add_argument("--architecture", default="resnet50")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--projector", default="8192-8192-8192")
    parser.add_argument("--ranks", nargs="+", type=int, default=[1], help="ours under mpirun; the machine's cores are shared by the ranks")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--iters", type=int, default=3, help="steps timed per run")
    parser.add_argument("--device", help="name for the result's file (default: the processor's)")
    parser.add_argument("--output", type=pathlib.Path, help="file of the result")
    return parser.parse_args()


class Refused(Exception):
    """bench_step cannot do this here, as bf16 on a processor without it."""


def last_json(command, **environment):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, env={**os.environ, **environment})
    if result.returncode == 2 and "does not compute in it" in result.stderr:
        raise Refused(result.stderr.strip())
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nreturned {result.returncode}\n{result.stderr[-2000:]}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def programs(a, precision):
    """What a round runs: {name: a function that runs it once}."""
    shape = ["--batch", a.batch, "--architecture", a.architecture, "--image-size", a.image_size, "--projector", a.projector,
             "--precision", precision, "--warmup", 1, "--iters", a.iters]
    runs = {}
    for ranks in a.ranks:
        launch = [] if ranks == 1 else ["mpirun", "-n", ranks, "--oversubscribe", "--bind-to", "none"]
        allow = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        runs[f"barlow, {ranks} rank{'s' * (ranks > 1)}"] = lambda launch=launch: last_json([*launch, a.bin / "bench_step", *shape], **allow)
    for python in a.peer or ["/usr/bin/python3"]:
        version = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True, check=True).stdout.strip()
        for compiled in [False, True][: 1 + (a.compile and not version.startswith("1."))]:
            extra = ["--compile"] * compiled
            runs[f"PyTorch {version}{' compiled' * compiled}"] = lambda python=python, extra=extra: last_json(
                [python, ROOT / "bench/peer_torch.py", *shape, *extra])
    return runs


def measure(a, precision):
    """One entry of whole_step per number of ranks."""
    runs = programs(a, precision)
    rounds = []
    for number in range(a.rounds):
        results = {}
        for name, run in runs.items():
            results[name] = run()
            print(f"{precision} round {number + 1}/{a.rounds}  {name:28} {results[name]['views_per_second']:8.2f} views/s", flush=True)
        rounds.append(results)
    speed = {name: statistics.median(r[name]["views_per_second"] for r in rounds) for name in runs}
    peer = max((name for name in runs if name.startswith("PyTorch")), key=speed.get)
    entries = []
    for name in runs:
        if not name.startswith("PyTorch"):
            ratio = statistics.median(r[name]["views_per_second"] / r[peer]["views_per_second"] for r in rounds)
            entries.append({"batch": a.batch, "precision": precision, "views_per_second": round(speed[name], 3), "peer": peer,
                            "peer_views_per_second": round(speed[peer], 3), "ratio": round(ratio, 3), "ranks": rounds[0][name]["ranks"],
                            "seconds": [r[name]["seconds_median"] for r in rounds], "peer_seconds": [r[peer]["seconds_median"] for r in rounds],
                            "all": {other: round(value, 3) for other, value in speed.items()}})
    return entries, next(iter(rounds[0].values()))["device"]


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8") if os.path.exists("/proc/cpuinfo") else ""
    model = re.search(r"model name\s*: (.*)", text)
    return model.group(1).strip() if model else platform.processor() or platform.machine()


def main():
    a = parse()
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    whole_step, device = [], ""
    for precision in a.precision:
        try:
            entries, device = measure(a, precision)
            whole_step += entries
        except Refused as refused:
            print(refused, flush=True)
    if not whole_step:
        sys.exit("nothing was measured")
    name = a.device or re.sub(r"[^a-z0-9]+", "-", processor().lower()).strip("-")
    result = {"device": processor() if "CPU" in device else device, "cores": len(os.sched_getaffinity(0)), "commit": commit,
              "versions": {"barlow": device, "peers": sorted({name for entry in whole_step for name in entry["all"] if name.startswith("PyTorch")})},
              "architecture": a.architecture, "image_size": a.image_size, "projector": a.projector, "whole_step": whole_step}
    path = a.output or ROOT / "bench/results" / f"{name}-{commit}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path}")
    subprocess.run([sys.executable, str(ROOT / "bench/summarize.py"), str(path)], check=True)


if __name__ == "__main__":
    main()
