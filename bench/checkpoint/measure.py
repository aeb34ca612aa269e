#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What checkpoints beside training cost: the same training by turns without and with them; bench/README.md defines the numbers.

    bench/checkpoint/measure.py [--batch 8 --steps 18 --every 8 --rounds 2] [-- FLAGS of barlow pretrain]

Writes bench/results/DEVICE-COMMIT-checkpoint.json. The disk measured is that of --folder. The defaults take two minutes on two cores.
"""
import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import statistics
import subprocess
import sys

BENCH = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(BENCH))
from compare_step import processor
from summarize import checkpoint_table

STOPPED, WARMUP = 75, 2  # exit code; steps before --profile-steps counts
INTERVAL_S = 600  # --checkpoint-every-minutes, its default
ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8, help="images per step; an image is two views")
    parser.add_argument("--steps", type=int, default=18, help="steps that are timed in a start, after two of warm-up")
    parser.add_argument("--every", type=int, default=8, help="steps between checkpoints; more than one takes to be written")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--launch", default="", help="how ranks are started, such as 'mpirun -n 2 --bind-to none'")
    parser.add_argument("--programs", type=pathlib.Path, default=BENCH.parent / "build/cpu-release/bin", help="folder of barlow, barlow-data")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("runs/checkpoint"), help="folder of data and runs")
    parser.add_argument("--device", help="name for the result's file (default: the processor's)")
    parser.add_argument("--output", type=pathlib.Path, help="file of the result")
    parser.add_argument("flags", nargs="*", help="after --: flags of barlow pretrain; without any, its ResNet-50, 224 pixels, 8192-8192-8192")
    request = parser.parse_args()
    if request.steps < 2 * request.every:
        parser.error("--steps must be at least twice --every, so that two checkpoints fall into them")
    return request


def start(request, data, every):
    """One start. @returns profile.json, the trace of rank 0, messages, bytes of a checkpoint"""
    run = request.folder / "run"
    shutil.rmtree(run, ignore_errors=True)
    words = [*shlex.split(request.launch), request.programs / "barlow", "pretrain", "--data", data, "--output", run, "--batch-size", request.batch,
             "--epochs", 1000, "--precision", request.precision, "--checkpoint-every-minutes", 0, "--checkpoint-every-steps", every, *request.flags,
             "--profile-steps", request.steps, "--stop-after-steps", request.steps + WARMUP, "--verbose"]
    result = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env={**os.environ, **ROOT})
    if result.returncode != STOPPED:
        sys.exit(f"{' '.join(map(str, words))}\nreturned {result.returncode}\n{result.stderr[-2000:]}")
    profile, trace = (json.loads((run / name).read_text(encoding="utf-8")) for name in ("profile.json", "profile-rank0000.json"))
    size = (run / "checkpoint.h5").stat().st_size
    shutil.rmtree(run)
    return profile, trace["traceEvents"], result.stderr, size


def look_at(request, profile, trace, messages):
    """Of a start with checkpoints: seconds in which steps waited, wrote and were slowed down."""
    bars = lambda wanted: [(bar["ts"] * 1e-6, bar["dur"] * 1e-6) for bar in trace if bar["ph"] == "X" and bar["tid"] == 0 and wanted(bar["name"])]
    steps, begun = bars(lambda name: name.startswith("step ")), bars(lambda name: name == "checkpoint")
    written = [float(word) for word in re.findall(r"checkpoint after step \d+ in ([\d.]+) s", messages)]
    alone, beside = written[-1], written[:len(begun)]  # the last one is awaited by a run that stops
    if len(begun) != (request.steps + WARMUP - 1) // request.every or len(written) != len(begun) + 1:
        sys.exit(f"{len(begun)} checkpoints were begun and {len(written)} written in the steps that were timed\n{messages}")
    busy = lambda at, seconds: any(at < first + waited + write and first < at + seconds for (first, waited), write in zip(begun, beside))
    undisturbed = [seconds for at, seconds in steps if not busy(at, seconds)]
    if len(undisturbed) < 3:
        sys.exit(f"checkpoints took {max(beside)} s to be written: give more --every, so that steps between them are undisturbed")
    quiet = statistics.median(undisturbed)
    extra = sum(seconds - quiet for at, seconds in steps if busy(at, seconds)) / len(begun)
    return {"snapshot_s": statistics.mean(waited for _, waited in begun), "write_s": statistics.mean(beside), "write_alone_s": alone,
            "quiet_step_s": quiet, "cost_s": extra}


def mean_step(profile):
    return max(statistics.mean(rank["step_seconds"]) for rank in profile["ranks"])


def measure(request, data):
    rounds = []
    for number in range(request.rounds):
        without = start(request, data, 0)
        beside = start(request, data, request.every)
        entry = {"step_s_without": mean_step(without[0]), "step_s_with": mean_step(beside[0]), **look_at(request, *beside[:3])}
        rounds.append(entry)
        print(f"round {number + 1}/{request.rounds}: " + ", ".join(f"{name} {value:.3f}" for name, value in entry.items()), flush=True)
    median = {name: statistics.median(entry[name] for entry in rounds) for name in rounds[0]}
    return {"batch": request.batch, "precision": request.precision, "ranks": beside[0]["world_size"], "flags": " ".join(request.flags),
            "bytes": beside[3], "every_steps": request.every, "steps": request.steps,
            "ratio": statistics.median(entry["step_s_with"] / entry["step_s_without"] for entry in rounds), "interval_s": INTERVAL_S,
            "ratio_at_interval": 1 + median["cost_s"] / INTERVAL_S, **{name: round(value, 4) for name, value in median.items()}, "rounds": rounds}


def main():
    request = parse()
    request.folder.mkdir(parents=True, exist_ok=True)
    data = request.folder / "images.h5"
    data.unlink(missing_ok=True)
    images = request.batch * (request.steps + WARMUP + 2)  # no epoch ends in between
    subprocess.run([request.programs / "barlow-data", "synthesize", "--output", data, "--images", str(images), "--classes", "10", "--size", "500x375"],
                   check=True, stdout=subprocess.DEVNULL)
    commit = subprocess.run(["git", "-C", str(BENCH), "rev-parse", "--short=7", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    version = subprocess.run([request.programs / "barlow", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()
    result = {"device": processor(), "cores": len(os.sched_getaffinity(0)), "commit": commit, "versions": version, "checkpoint": [measure(request, data)]}
    device = request.device or re.sub(r"[^a-z0-9]+", "-", result["device"].lower()).strip("-")
    path = request.output or BENCH / "results" / f"{device}-{commit}-checkpoint.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    data.unlink()
    print(f"wrote {path}")
    print("\n".join(checkpoint_table([result])))


if __name__ == "__main__":
    main()
