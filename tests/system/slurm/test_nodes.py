# SPDX-License-Identifier: Apache-2.0
"""Pre-training over four nodes of a real SLURM, and one of them that fails.

test_nodes.py BIN_FOLDER PROJECT [--starts N]      # N: starts the program N times, to see whether it always starts; by hand, seconds each
"""
import os
import signal
import sys

from cluster import (FOLDER, STEPS, await_steps, fail_node, make_images, output, parent, pretrain, ranks, require_same, run_checks, said, start_node,
                     steps, submit, wait_for)

SHAPE = 4, 1
WHOLE = FOLDER / "whole"


def check_four_nodes():
    make_images()
    job = submit("pretrain_cpu", SHAPE, pretrain(WHOLE))
    job.complete()
    assert steps(WHOLE) == STEPS and "on n[1-4]" in said(job.log), said(job.log)


def check_node_failure():
    """A node falls silent: SLURM ends the job on the others and queues it again; it goes on from its last checkpoint when the node is back."""
    run = FOLDER / "failed"
    job = submit("pretrain_cpu", SHAPE, pretrain(run))
    await_steps(run, job)
    rank = ranks(run, 4)[3]
    lost = [rank, parent(rank)]  # of the fourth node; a dead host does not close its connections
    for process in lost:
        os.kill(process, signal.SIGSTOP)
    fail_node(4)
    wait_for("the node's failure", lambda: job.field("Restarts") == "1", job.log, 90)
    assert "DOWN" in output("scontrol", "show", "node", "n4"), output("scontrol", "show", "node", "n4")
    for process in lost:
        os.kill(process, signal.SIGKILL)
    start_node(4)
    job.await_requeue()
    job.start_now()
    job.complete()
    assert "NODE FAILURE" in said(job.log) and "going on after step" in said(job.log), said(job.log)
    require_same(run, WHOLE, job)


def check_starts():
    for number in range(int(sys.argv[4])):
        job = submit("pretrain_cpu", SHAPE, pretrain(WHOLE, "--check-config"))
        state = job.end(120)[0]
        assert state == "COMPLETED", f"start {number}: {job.describe()}"


if sys.argv[3:4] == ["--starts"]:
    run_checks(4, make_images, check_starts)
else:
    run_checks(4, check_four_nodes, check_node_failure)
