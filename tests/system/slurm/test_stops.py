# SPDX-License-Identifier: Apache-2.0
"""Jobs that are stopped from outside, on a real SLURM of two simulated nodes: scontrol requeue, barlow stop, scancel, a chain of jobs, an array.

test_stops.py BIN_FOLDER PROJECT
"""
from cluster import (BINARIES, FOLDER, NETWORK, STEPS, Job, await_steps, make_images, output, pretrain, require_goes_on, require_same, run_checks, said, steps, submit, wait_for,
                     weights, write_site)

SHAPE = 2, 1
WHOLE = FOLDER / "whole"
# A rank with much memory to give back leaves later than the others.
LINGER = """#!/usr/bin/env bash
trap : USR1
"$@"
code=$?
[ "$SLURM_PROCID" = 0 ] || sleep 2
exit $code
"""


def check_whole():
    make_images()
    submit("pretrain_cpu", SHAPE, pretrain(WHOLE)).complete()
    assert weights(WHOLE)["step"] == STEPS


def check_requeue():
    """scontrol requeue of a running job: SLURM tells the ranks to end, and starts the job again."""
    run = FOLDER / "requeued"
    job = submit("pretrain_cpu", SHAPE, pretrain(run))
    await_steps(run, job)
    output("scontrol", "requeue", job.number)
    job.await_requeue()
    assert weights(run)["step"] == steps(run) < STEPS and "stopped on request after step" in said(job.log), said(job.log)
    require_goes_on(job, run, WHOLE)


def check_stop():
    """barlow stop: the job ends with a checkpoint and does not come again, until somebody submits it."""
    run = FOLDER / "stopped"
    job = submit("pretrain_cpu", SHAPE, pretrain(run))
    await_steps(run, job)
    output(f"{BINARIES}/barlow", "stop", run)
    assert job.end() == ("FAILED", "75:0") and job.field("Restarts") == "0", job.describe()
    assert "submit it again to go on" in said(job.log) and weights(run)["step"] == steps(run) < STEPS, said(job.log)
    job = submit("pretrain_cpu", SHAPE, pretrain(run))
    job.complete()
    require_same(run, WHOLE, job)


def check_cancel():
    """scancel: the job ends with a checkpoint of its last step, and the same command goes on from there."""
    run = FOLDER / "cancelled"
    job = submit("pretrain_cpu", SHAPE, pretrain(run))
    await_steps(run, job)
    output("scancel", job.number)
    assert job.end()[0] == "CANCELLED" and job.field("Restarts") == "0", job.describe()
    wait_for("the checkpoint", lambda: "start the same command again to go on" in said(job.log), job.log, 30)
    stopped = steps(run)
    assert weights(run)["step"] == stopped < STEPS, said(job.log)
    job = submit("pretrain_cpu", SHAPE, pretrain(run))
    job.complete()
    assert f"going on after step {stopped} of {STEPS}" in said(job.log), said(job.log)
    require_same(run, WHOLE, job)


def check_lingering_rank():
    """A rank that leaves long after the others does not keep the job from being queued again."""
    wrapper = FOLDER / "linger.sh"
    wrapper.write_text(LINGER)
    wrapper.chmod(0o755)
    write_site(f"barlow_wrap=({wrapper})")
    run = FOLDER / "lingering"
    job = submit("pretrain_cpu", SHAPE, pretrain(run))
    await_steps(run, job)
    output("scancel", "--signal=USR1", job.number)
    job.await_requeue()
    write_site()
    job.start_now()
    job.complete()
    require_same(run, WHOLE, job)


def check_chain():
    """BARLOW_AGAIN=chain: a following job with what was asked for the first goes on when that has ended."""
    run = FOLDER / "chained"
    write_site("BARLOW_AGAIN=chain")
    first = submit("pretrain_cpu", SHAPE, pretrain(run), "--job-name", "links", "--mem", 100, "--constraint", "simulated")
    await_steps(run, first)
    output("scancel", "--signal=USR1", first.number)
    assert first.end() == ("FAILED", "75:0") and first.field("Restarts") == "0", first.describe()
    number = said(first.log).split("Submitted batch job ")[1].split()[0]
    second = Job(number, FOLDER / f"links-{number}.log")
    second.complete()
    for name in "JobName", "NumNodes", "NumTasks", "NtasksPerN:B:S:C", "TimeLimit", "MinMemoryNode", "Partition", "Features", "WorkDir":
        assert second.field(name) == first.field(name), f"{name}: {first.field(name)} became {second.field(name)}"
    assert "going on after step" in said(second.log), said(second.log)
    require_same(run, WHOLE, second)
    write_site()


def check_array():
    """Of an array, the job that carries the array's own number comes again alone; the other point stays as it is."""
    grid, images = FOLDER / "grid", FOLDER / "more.h5"
    make_images(images, 209)  # 17 steps an epoch; neighbours are looked for among 200
    array = submit("ablation", SHAPE, ["--train", images, "--test", images, "--output", grid, "--width", "32,48", "--layers", 2, "--batch-size", 12,
                                       "--", *NETWORK, "--epochs", 3], "--array", "0-1%1", "--output", FOLDER / "point-%a.log")
    first, second = (Job(f"{array.number}_{index}", FOLDER / f"point-{index}.log") for index in (0, 1))
    first.complete()
    assert second.field("JobId") == array.number, second.describe()
    await_steps(grid / "lambd0.0051-width48-layers2-batch12", second)
    output("scancel", "--signal=USR1", second.number)
    second.await_requeue()
    assert first.field("JobState") == "COMPLETED" and first.field("Restarts") == "0", first.describe()
    second.start_now()
    second.complete()
    assert "going on after step" in said(second.log), said(second.log)
    table = (grid / "ablation.md").read_text()
    assert table.count("\n") == 4 and "not yet" not in table, table


run_checks(2, check_whole, check_requeue, check_stop, check_cancel, check_lingering_rank, check_chain, check_array)
