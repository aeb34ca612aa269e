# SPDX-License-Identifier: Apache-2.0
"""A rank that is stopped or killed: the job ends in a stated time, with rank, host and operation, and the run goes on later."""
import os
import platform
import re
import signal
import subprocess
import time

from program import FOLDER, command, is_alive, make_images, metrics, ranks_of, run

TIMEOUT = 4
# The watchdog's turn, its grace for the other ranks' lines, and mpirun's for its children.
ENDS_WITHIN = TIMEOUT + 20
MANY = FOLDER / "many.h5"
LONG = {"epochs": 100000, "checkpoint_every_steps": 5, "hang_timeout": TIMEOUT}


class Job:
    """A run of two ranks that has come so far: by default, made a checkpoint."""

    def __init__(self, name, flags=None, has_come_far=None):
        self.folder = FOLDER / name
        has_come_far = has_come_far or (self.folder / "checkpoint.h5").exists
        self.process = subprocess.Popen(command(self.folder, 2, **(flags or LONG)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 60
        while not has_come_far():
            assert self.process.poll() is None and time.monotonic() < end, "not so far within a minute"
            time.sleep(0.05)
        self.ranks = ranks_of(self.process)
        assert len(self.ranks) == 2, self.ranks

    def rank_number(self, process):
        with open(f"/proc/{process}/environ", "rb") as file:
            return int(re.search(rb"OMPI_COMM_WORLD_RANK=(\d+)", file.read())[1])

    def end(self):
        started = time.monotonic()
        try:
            errors = self.process.communicate(timeout=ENDS_WITHIN)[1]
        finally:
            self.process.kill()
        alive = self.ranks
        while alive and time.monotonic() < started + ENDS_WITHIN:
            alive = [process for process in alive if is_alive(process)]
            time.sleep(0.05)
        assert not alive, f"ranks {alive} are left\n{errors}"
        return self.process.returncode, errors, time.monotonic() - started


def check_stopped_rank():
    for which in 0, 1:
        job = Job(f"stopped-{which}")
        victim = next(process for process in job.ranks if job.rank_number(process) == which)
        os.kill(victim, signal.SIGSTOP)
        code, errors, seconds = job.end()
        line = next((line for line in errors.splitlines() if "no progress" in line), errors)
        assert code == 75, f"returned {code}, not 75, after a checkpoint\n{errors}"
        assert f"[rank {1 - which} of 2, {platform.node()}] no progress for {TIMEOUT} s in " in line, line
        assert f"rank {which} on this host (process {victim}) is stopped" in line and re.search("sum|agreeing|broadcast|gather|exchanges on the device", line), line
        print(f"  rank {which} stopped: the job ended after {seconds:.1f} s: {line}")
        run(command(job.folder, 2, **{**LONG, "stop_after_steps": 3}), expect=75)
        steps = [entry["step"] for entry in metrics(job.folder)]
        assert steps == list(range(1, len(steps) + 1)), "lines of metrics.jsonl are missing or twice there"


def check_no_progress():
    """A start that hangs before it has written a checkpoint ends with 1, for all that an earlier one has left."""
    folder = FOLDER / "no-progress"
    make_images(MANY, images=12 * 1000)
    long = {**LONG, "data": MANY, "checkpoint_every_steps": 0}
    run(command(folder, 2, stop_after_steps=2, **long), expect=75)
    job = Job("no-progress", long, lambda: len(metrics(folder)) > 2)
    os.kill(job.ranks[1], signal.SIGSTOP)
    code, errors, _ = job.end()
    assert code == 1 and "no progress for" in errors, f"returned {code}, not 1\n{errors}"


def check_suspended_job():
    """A job that the scheduler suspends as a whole for longer than the timeout goes on."""
    job = Job("suspended")
    for process in job.ranks:
        os.kill(process, signal.SIGSTOP)
    time.sleep(2 * TIMEOUT)
    before = len(metrics(job.folder))
    for process in job.ranks:
        os.kill(process, signal.SIGCONT)
    end = time.monotonic() + 60
    while len(metrics(job.folder)) < before + 5:
        assert job.process.poll() is None, job.process.stderr.read()
        assert time.monotonic() < end, "no step after the pause"
        time.sleep(0.05)
    job.process.send_signal(signal.SIGUSR1)
    code, errors, _ = job.end()
    assert code == 75, f"returned {code}\n{errors}"


def check_killed_rank():
    """kill -9 of one rank: mpirun ends the other at once; neither 0 nor 75."""
    for which in 0, 1:
        job = Job(f"killed-{which}")
        os.kill(next(process for process in job.ranks if job.rank_number(process) == which), signal.SIGKILL)
        code, errors, seconds = job.end()
        assert code not in (0, 2, 75), f"returned {code}\n{errors}"
        assert seconds < TIMEOUT + 5, f"{seconds:.1f} s"
        print(f"  rank {which} killed: the job ended after {seconds:.1f} s with {code}")
        run(command(job.folder, 2, **{**LONG, "stop_after_steps": 3}), expect=75)


def check_broken_exchange():
    """A connection that fails under one rank: named, and by the same rule as a hang."""
    for when, code_expected in ("after a checkpoint", 75), ("before one", 1):
        broken = FOLDER / f"broken-{code_expected}"
        os.environ.update(LD_PRELOAD=os.environ["BARLOW_BROKEN_EXCHANGE"], BROKEN_EXCHANGE=str(broken))
        if code_expected == 75:
            job = Job("exchange-75")
        else:
            folder = FOLDER / "exchange-1"
            job = Job("exchange-1", {**LONG, "data": MANY, "checkpoint_every_steps": 0}, lambda: (folder / "metrics.jsonl").exists() and metrics(folder))
        del os.environ["LD_PRELOAD"]
        broken.touch()
        code, errors, _ = job.end()
        assert code == code_expected and f"[rank 1 of 2, {platform.node()}] MPI: " in errors, f"returned {code}, {when}\n{errors}"


make_images()
for check in (check_stopped_rank, check_no_progress, check_suspended_job, check_killed_rank, check_broken_exchange):
    check()
    print(f"{check.__name__} passed", flush=True)
