# SPDX-License-Identifier: Apache-2.0
"""The way of a user's run on a real SLURM, two simulated nodes with two tasks each: pack, pre-train, the time limit, a rank that dies, evaluate.

test_jobs.py BIN_FOLDER PROJECT
"""
import json
import os
import signal

import h5py

from cluster import (BINARIES, FOLDER, IMAGES, STEPS, STEPS_PER_EPOCH, await_steps, make_images, output, pretrain, ranks, require_goes_on, require_same, run_checks,
                     said, steps, submit, weights, write_site)

SHAPE = 2, 2
WHOLE = FOLDER / "whole"
MANY = FOLDER / "many.h5"  # an epoch that does not end


def check_pack():
    source, images, number = FOLDER / "source.h5", FOLDER / "images", STEPS_PER_EPOCH * 12 + 5
    output(f"{BINARIES}/barlow-data", "synthesize", "--output", source, "--images", number, "--classes", 3, "--size", "40x32")
    with h5py.File(source) as file:
        content, offsets = file["bytes"][:], file["offsets"][:]
    for index in range(number):
        path = images / f"class{index % 3}" / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[offsets[index]:offsets[index + 1]].tobytes())
    write_site("""barlow_wrap=(bash -c '[ "$SLURM_PROCID" -ne 3 ] || sleep 1; exec "$0" "$@"')""")  # a task that comes late: all wait for it
    submit("pack_dataset", SHAPE, [images, "--output", IMAGES]).complete()
    write_site()
    output(f"{BINARIES}/barlow-data", "verify", IMAGES)


def check_time_limit():
    """SLURM's own signal before the limit: checkpoint, requeue, and the weights of a run without it."""
    run = FOLDER / "limited"
    job = submit("pretrain_cpu", SHAPE, pretrain(run), "--time", 1, "--signal", "USR1@20")
    await_steps(run, job)
    # The signal comes 20 to 50 s before the end, SLURM looks every 30 s; it wakes the ranks, which might be done before if they were not held.
    for rank in ranks(run, 4):
        os.kill(rank, signal.SIGSTOP)
    whole = submit("pretrain_cpu", SHAPE, pretrain(WHOLE))
    whole.complete()
    assert steps(WHOLE) == STEPS and "on n[1-2]" in said(whole.log), said(whole.log)
    job.await_requeue()
    stopped = steps(run)
    assert stopped < STEPS and f"stopped on request after step {stopped};" in said(job.log), said(job.log)
    job.start_now("timelimit=10")
    job.complete()
    assert f"going on after step {stopped} of {STEPS}" in said(job.log), said(job.log)
    require_same(run, WHOLE, job)


def check_refusal():
    job = submit("pretrain_cpu", SHAPE, ["--data", FOLDER / "missing.h5", "--output", FOLDER / "refused"])
    state, code = job.end()
    assert state == "FAILED" and code.startswith("2:") and "missing.h5" in said(job.log), job.describe()


def check_killed_rank():
    """After a checkpoint of this start the job is queued again, and ends with the same weights."""
    run = FOLDER / "killed"
    job = submit("pretrain_cpu", SHAPE, pretrain(run))
    await_steps(run, job)
    os.kill(ranks(run, 4)[-1], signal.SIGKILL)
    job.await_requeue()
    assert "after a new checkpoint" in said(job.log), said(job.log)
    require_goes_on(job, run, WHOLE)


def check_killed_without_progress():
    """Before a checkpoint of this start the job ends, for all that an earlier one has left."""
    run = FOLDER / "stuck"
    make_images(MANY, 12 * 1000)
    flags = "--epochs", 1, "--data", MANY, "--checkpoint-every-minutes", 0
    first = submit("pretrain_cpu", SHAPE, pretrain(run, *flags, "--stop-after-steps", 2))
    first.await_requeue()
    output("scancel", first.number)
    assert weights(run)["step"] == 2
    job = submit("pretrain_cpu", SHAPE, pretrain(run, *flags))
    await_steps(run, job, 3)
    os.kill(ranks(run, 4)[0], signal.SIGKILL)
    state, code = job.end(60)
    assert state == "FAILED" and code.startswith("137:") and job.field("Restarts") == "0", job.describe()
    assert "before this start wrote a checkpoint" in said(job.log) and weights(run)["step"] == 2, said(job.log)


def check_hanging_rank():
    """Named by the others, killed by SLURM, and the job goes on from the checkpoint."""
    run = FOLDER / "hanging"
    job = submit("pretrain_cpu", SHAPE, pretrain(run, "--hang-timeout", 5))
    await_steps(run, job)
    process = ranks(run, 4)[2]
    os.kill(process, signal.SIGSTOP)
    job.await_requeue(seconds=120)
    assert "no progress for 5 s in" in said(job.log) and f"(process {process}) is stopped" in said(job.log), said(job.log)
    require_goes_on(job, run, WHOLE)


def check_evaluate():
    result = FOLDER / "result.json"
    submit("evaluate", SHAPE, ["--train", IMAGES, "--test", IMAGES, "--checkpoint", WHOLE, "--json", result, "--k", 3, "--epochs", 2,
                            "--batch-size", 12]).complete()
    assert [part["protocol"] for part in json.loads(result.read_text())] == ["knn", "linear"]


run_checks(2, check_pack, check_time_limit, check_refusal, check_killed_rank, check_killed_without_progress, check_hanging_rank,
           check_evaluate)
