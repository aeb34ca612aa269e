#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the training step scales: `barlow pretrain --profile-steps` over numbers of ranks, one JSON line each; bench/README.md
defines the numbers. jobs/scaling.sbatch runs it within a SLURM job; on one machine:

    bench/scaling/measure.py --ranks 1,2 --batch-per-rank 32 --batch 64 --output runs/scaling -- --architecture resnet18
"""
import argparse
import json
import math
import pathlib
import shlex
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
STOPPED = 75
UNCLAIMED = 0.05  # of a step's time may be in no phase that has a name
sys.path.insert(0, str(HERE.parent))


def numbers(text):
    values = sorted({int(word) for word in text.split(",")})
    if values[0] < 1:
        raise argparse.ArgumentTypeError("numbers from 1 up, joined by commas")
    return values


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=numbers, default=[1, 2], help="numbers of ranks, joined by commas (default 1,2)")
    parser.add_argument("--batch-per-rank", type=int, default=0, help="weak scaling: images per rank and step; 0: none")
    parser.add_argument("--batch", type=int, default=0, help="strong scaling: images per step over all ranks; 0: none")
    parser.add_argument("--steps", type=int, default=20, help="steps that are timed, after two of warm-up")
    parser.add_argument("--data", help="packed dataset; default: synthetic images of --size, made in --output")
    parser.add_argument("--size", default="500x375", help="of synthetic images (default 500x375, ImageNet's usual)")
    parser.add_argument("--images", type=int, default=0, help="synthetic images (default: one step of the largest batch, at least 512)")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/scaling"), help="folder of results, data and runs")
    parser.add_argument("--programs", type=pathlib.Path, default=HERE.parent.parent / "build/cpu-release/bin", help="folder of barlow, barlow-data")
    parser.add_argument("--launch", default="mpirun -n {ranks}", help="how ranks are started; {ranks} and {nodes} are filled in")
    parser.add_argument("--ranks-per-node", type=int, default=1 << 20, help="for {nodes}")
    parser.add_argument("--wrap", default="", help="words before the program, such as a container's")
    parser.add_argument("flags", nargs="*", help="after --: flags of barlow pretrain")
    request = parser.parse_args()
    if not request.batch_per_rank and not request.batch:
        parser.error("give --batch-per-rank for weak scaling, --batch for strong scaling, or both")
    if request.steps < 1:
        parser.error("--steps: at least 1")
    for ranks in request.ranks:
        if request.batch % ranks:
            parser.error(f"--batch {request.batch} cannot be shared by {ranks} ranks")
    return request


def series(request):
    """(kind, [(ranks, batch)])"""
    if request.batch_per_rank:
        yield "weak", [(ranks, ranks * request.batch_per_rank) for ranks in request.ranks]
    if request.batch:
        yield "strong", [(ranks, request.batch) for ranks in request.ranks]


def data_of(request):
    if request.data:
        return request.data
    path = request.output / "scaling-images.h5"
    largest = max(batch for _, points in series(request) for _, batch in points)
    images = request.images or max(512, largest)
    path.unlink(missing_ok=True)
    subprocess.run([*shlex.split(request.wrap), request.programs / "barlow-data", "synthesize", "--output", path, "--images", str(images),
                    "--classes", "10", "--size", request.size], check=True, stdout=subprocess.DEVNULL)
    return path


def measure(request, data, ranks, batch):
    """profile.json of one run."""
    run = request.output / "scaling-run"  # not a name that others use: it is removed
    shutil.rmtree(run, ignore_errors=True)
    nodes = math.ceil(ranks / request.ranks_per_node)
    command = [*shlex.split(request.launch.format(ranks=ranks, nodes=nodes)), *shlex.split(request.wrap), request.programs / "barlow", "pretrain",
               "--data", data, "--output", run, "--batch-size", batch, "--epochs", 1000, "--checkpoint-every-minutes", 0, *request.flags,
               "--profile-steps", request.steps, "--stop-after-steps", request.steps + 2]
    words = [str(word) for word in command]
    print(" ".join(words), file=sys.stderr, flush=True)
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if result.returncode not in (0, STOPPED):
        sys.exit(f"scaling: {ranks} ranks ended with code {result.returncode}")
    profile = json.loads((run / "profile.json").read_text(encoding="utf-8"))
    if profile["world_size"] != ranks:
        sys.exit(f"scaling: started {ranks} ranks, but {profile['world_size']} met; does the launcher fit the MPI library?")
    shutil.rmtree(run)
    return profile


def entry_of(kind, profile, first):
    """One line; `first` is that of the fewest ranks, whose efficiency is 1."""
    phases = profile["phases"]
    # Epochs of a small data set end within the measured steps and are saved: no part of a step.
    seconds = profile["seconds_per_step"] - phases["checkpoint"]["seconds_slowest_rank"]
    rate = profile["batch_size"] / seconds
    ranks = profile["world_size"]
    per_rank = first["images_per_second"] / first["ranks"] if first else rate / ranks
    mean = sum(rank["wall_s"] for rank in profile["ranks"]) / ranks / profile["steps"]
    return {"benchmark": "scaling", "kind": kind, "ranks": ranks, "hosts": len({rank["host"] for rank in profile["ranks"]}),
            "batch": profile["batch_size"], "images_per_second": rate, "efficiency": rate / ranks / per_rank, "seconds_per_step": seconds,
            "steps": profile["steps"], "unclaimed_share": phases["other"]["seconds"] / mean,
            "gradients_exposed_s": profile["gradients_exposed_s"], "gradients_overlapped_s": profile["gradients_overlapped_s"],
            "phases": phases, "device": profile["device"]}


def main():
    from summarize import scaling_table  # the table's home
    from scaling.plot import scaling_plot
    request = parse()
    request.output.mkdir(parents=True, exist_ok=True)
    data = data_of(request)
    wrap = shlex.split(request.wrap)
    version = subprocess.run([*wrap, request.programs / "barlow", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    entries = []
    try:
        with open(request.output / "scaling.jsonl", "w", encoding="utf-8") as file:
            for kind, points in series(request):
                first = None
                for ranks, batch in points:
                    entry = {**entry_of(kind, measure(request, data, ranks, batch), first), "version": version,
                             "data": str(request.data or f"synthetic {request.size}"), "flags": " ".join(request.flags)}
                    first = first or entry
                    entries.append(entry)
                    line = json.dumps(entry)
                    print(line, flush=True)
                    file.write(line + "\n")
                    file.flush()
                    if entry["unclaimed_share"] > UNCLAIMED:
                        print(f"scaling: {100 * entry['unclaimed_share']:.1f} % of the step is in no phase", file=sys.stderr)
    finally:  # what a failed run leaves behind it was measured all the same
        if entries:
            print("\n".join(scaling_table(entries)))
            (request.output / "scaling.svg").write_text(scaling_plot(entries), encoding="utf-8")


if __name__ == "__main__":
    main()
