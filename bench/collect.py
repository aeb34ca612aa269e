#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The JSON lines of bench/on-gpu.sh as one result file, for bench/results and bench/summarize.py.

    collect.py FOLDER > bench/results/DEVICE-COMMIT.json
"""
import json
import pathlib
import re
import sys


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def name_of_peer(step):
    options = [word for word, given in (("compiled", step["compile"]), ("SyncBatchNorm", step.get("sync_batch_norm"))) if given]
    return " ".join(["PyTorch", step["versions"]["torch"], *options])


def whole_step(steps):
    """Ours beside the fastest peer at the same batch and precision."""
    entries = []
    for ours in (step for step in steps if step["program"] == "barlow"):
        peers = [step for step in steps if step["program"] == "pytorch" and step["batch"] == ours["batch"]
                 and step["precision"] == ours["precision"]]
        if not peers:
            continue
        best = max(peers, key=lambda step: step["views_per_second"])
        entries.append({"batch": ours["batch"], "precision": ours["precision"], "views_per_second": ours["views_per_second"],
                        "peer": name_of_peer(best), "peer_views_per_second": best["views_per_second"],
                        "ratio": round(ours["views_per_second"] / best["views_per_second"], 3)})
    return entries


def main(folder):
    steps = lines(folder / "step.jsonl")
    if not steps:
        sys.exit(f"{folder}/step.jsonl: no steps were measured")
    versions = (folder / "versions.txt").read_text(encoding="utf-8").splitlines()
    commit = re.search(r"\((.*)\)", versions[0]).group(1)  # the programs', wherever the checkout stands or whether there is one
    print(json.dumps({"device": next(step["device"] for step in steps if step["program"] == "barlow"), "commit": commit,
                      "versions": versions, "whole_step": whole_step(steps), "steps": steps, "fed_from_hdf5": lines(folder / "fed.jsonl"),
                      "graph": lines(folder / "graph.jsonl"), "views": lines(folder / "views.jsonl"),
                      "operations": lines(folder / "ops.jsonl")}, indent=1))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
