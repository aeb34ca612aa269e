#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Results as Markdown tables. A .json file is compare_step.py's or checkpoint/measure.py's, a .jsonl file the scaling
benchmark's, of which --plot makes a picture."""
import argparse
import json
import pathlib
import sys


def step_table(results):
    yield "| device, commit | batch | precision | ranks | views/s | fastest PyTorch | views/s | ratio |"
    yield "|---|---|---|---|---|---|---|---|"
    for result in results:
        for entry in result.get("whole_step", []):
            ratio = entry.get("ratio", entry["views_per_second"] / entry["peer_views_per_second"])
            yield (f"| {result['device']}, {result['commit']} | {entry['batch']} | {entry['precision']} | {entry.get('ranks', 1)} | "
                   f"{entry['views_per_second']:.2f} | {entry['peer']} | {entry['peer_views_per_second']:.2f} | {ratio:.2f} |")


def checkpoint_table(results):
    yield "| device, commit | ranks | batch | step, s | checkpoint | every | step's ratio | waits, s | written in, s (alone) | costs, s | ratio every 10 min |"
    yield "|" + "---|" * 11
    for result in results:
        for entry in result.get("checkpoint", []):
            yield (f"| {result['device']}, {result['commit']} | {entry['ranks']} | {entry['batch']} | {entry['step_s_without']:.2f} | {entry['bytes'] * 1e-9:.2f} GB | "
                   f"{entry['every_steps']} steps | {entry['ratio']:.3f} | {entry['snapshot_s']:.2f} | {entry['write_s']:.1f} ({entry['write_alone_s']:.1f}) | "
                   f"{entry['cost_s']:.2f} | {entry['ratio_at_interval']:.4f} |")


def scaling_table(entries):
    """Seconds are means over ranks, per step; megabytes are one rank's."""
    names = [name for name in entries[0]["phases"] if name != "checkpoint"]
    yield "| scaling | ranks | hosts | batch | images/s | efficiency | s/step | " + " | ".join(names) + " | gradients exposed, overlapped | MB/rank |"
    yield "|" + "---|" * (len(names) + 9)
    for entry in entries:
        phases = entry["phases"]
        megabytes = sum(phase["bytes_per_rank"] for phase in phases.values()) * 1e-6
        seconds = " | ".join(f"{phases[name]['seconds']:.4f}" for name in names)
        yield (f"| {entry['kind']} | {entry['ranks']} | {entry['hosts']} | {entry['batch']} | {entry['images_per_second']:.4g} | "
               f"{100 * entry['efficiency']:.0f} % | {entry['seconds_per_step']:.4f} | {seconds} | "
               f"{entry['gradients_exposed_s']:.4f}, {entry['gradients_overlapped_s']:.4f} | {megabytes:.2f} |")


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", metavar="FILE.svg", type=pathlib.Path)
    parser.add_argument("files", metavar="FILE", nargs="*", type=pathlib.Path, help="default: all of bench/results")
    arguments = parser.parse_args()
    for file in arguments.files:
        if file.suffix not in (".json", ".jsonl") or not file.is_file():
            parser.error(f"{file}: no .json or .jsonl file")
    files = arguments.files or sorted((here / "results").glob("*.json*"))
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.suffix == ".json"]
    steps, checkpoints = ([result for result in results if key in result] for key in ("whole_step", "checkpoint"))
    scaling = [json.loads(line) for file in files if file.suffix == ".jsonl" for line in file.read_text(encoding="utf-8").splitlines()]
    for rows in (step_table(steps) if steps else [], checkpoint_table(checkpoints) if checkpoints else [], scaling_table(scaling) if scaling else []):
        for row in rows:
            print(row)
    if arguments.plot:
        sys.path.insert(0, str(here))
        from scaling.plot import scaling_plot
        arguments.plot.write_text(scaling_plot(scaling), encoding="utf-8")


if __name__ == "__main__":
    main()
