#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The metrics of run folders as TensorBoard event files. Needs tensorboardX (pip install tensorboardX), or PyTorch with tensorboard.

    jobs/tensorboard.py runs/imagenet runs/other --logdir runs/tensorboard
    tensorboard --logdir runs/tensorboard

A folder of LOGDIR per run, named after the run's and the one that it is in, and written anew each time: start it again for a run that goes
on. Images, settings and evaluations are in `barlow report`.
"""
import argparse
import datetime
import json
import pathlib
import sys

NOT_DRAWN = {"step", "time", "total_steps", "seconds_left"}


def summary_writer():
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            sys.exit("tensorboard.py: no tensorboardX and no PyTorch with tensorboard; pip install tensorboardX")
    return SummaryWriter


def lines_of(metrics):
    """What can be read: a killed run may leave half a line."""
    for line in metrics.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            print(f"tensorboard.py: {metrics}: a line that cannot be read is left out", file=sys.stderr)


def seconds_of(time):
    return time if isinstance(time, (int, float)) else datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=pathlib.Path, metavar="RUN", help="run folder of barlow pretrain")
    parser.add_argument("--logdir", type=pathlib.Path, required=True, help="folder for tensorboard --logdir")
    a = parser.parse_args()
    make_writer = summary_writer()
    folders = {}
    for run in map(pathlib.Path.resolve, a.runs):
        metrics = run / "metrics.jsonl"
        if not metrics.is_file():
            sys.exit(f"tensorboard.py: {metrics} is missing: give the --output of a barlow pretrain")
        folder = a.logdir / run.parent.name / run.name  # every quickstart's run is called run
        if folders.setdefault(folder, run) != run:
            sys.exit(f"tensorboard.py: {folders[folder]} and {run} would both be {folder}: give them different --logdir")
    for folder, run in folders.items():
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        with make_writer(str(folder)) as writer:
            for line in lines_of(run / "metrics.jsonl"):
                for key, value in line.items():
                    if key not in NOT_DRAWN and isinstance(value, (int, float)):
                        writer.add_scalar(key, value, line["step"], walltime=seconds_of(line["time"]))
        print(folder)


if __name__ == "__main__":
    main()
