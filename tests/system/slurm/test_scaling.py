# SPDX-License-Identifier: Apache-2.0
"""scaling.sbatch over 1, 2 and 4 of four nodes of a real SLURM: the table and the picture come out, and the phases are the step.

test_scaling.py BIN_FOLDER PROJECT
"""
import json

from cluster import FOLDER, NETWORK, run_checks, said, submit

SHAPE = 4, 1
RANKS = 1, 2, 4


def check_scaling():
    folder = FOLDER / "scaling"
    job = submit("scaling", SHAPE, ["--ranks", ",".join(map(str, RANKS)), "--batch-per-rank", 8, "--batch", 16, "--steps", 8, "--size", "40x32",
                                    "--output", folder, "--", *NETWORK, "--projector", "32-48", "--quiet"])
    job.complete()
    entries = [json.loads(line) for line in (folder / "scaling.jsonl").read_text().splitlines()]
    expected = [("weak", ranks, 8 * ranks) for ranks in RANKS] + [("strong", ranks, 16) for ranks in RANKS]
    assert [(entry["kind"], entry["ranks"], entry["batch"]) for entry in entries] == expected, entries
    for entry in entries:
        named = sum(phase["seconds"] for name, phase in entry["phases"].items() if name not in ("checkpoint", "other"))
        step = entry["seconds_per_step"]
        assert abs(named - step) <= 0.05 * step, f"phases of {named:.4f} s in a step of {step:.4f} s: {entry}"
        if entry["ranks"] > 1:
            assert entry["phases"]["gradient_reduction"]["bytes_per_rank"] > 4e7, entry
    rows = [line for line in said(job.log).splitlines() if line.startswith(("| weak |", "| strong |"))]
    assert [tuple(row.split(" | ")[1:4:2]) for row in rows] == [(str(ranks), str(batch)) for _, ranks, batch in expected], rows
    assert (folder / "scaling.svg").read_text().startswith("<svg")
    print("\n".join(rows))


run_checks(4, check_scaling)
