# SPDX-License-Identifier: Apache-2.0
"""A run beside other jobs: one job per folder, stop and status from outside, a log that nobody reads or that a narrow terminal shows, the time limit of a SLURM job."""
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

import h5py
from program import BARLOW, DATA, FOLDER, command, make_images, metrics, require_same_bits, run, tensors, wait_until

LONG = {"epochs": 2000}  # much longer than the test


def start(folder, ranks):
    """A run in the background that has made its first step."""
    process = subprocess.Popen(command(folder, ranks, **LONG), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (folder / "metrics.jsonl").exists() and metrics_so_far(folder):
            return process
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.1)
    raise AssertionError("no step within a minute")


def metrics_so_far(folder):
    return (folder / "metrics.jsonl").read_text().count("\n")


def rank_seconds(checkpoint):
    with h5py.File(checkpoint) as file:
        return file.attrs["rank_seconds"]


def status(folder):
    result = subprocess.run([BARLOW, "status", folder], capture_output=True, text=True, timeout=60, check=True)
    return dict(line.split(None, 1) for line in result.stdout.splitlines())


def check_one_job_and_stop():
    folder, begin = FOLDER / "shared", time.monotonic()
    process = start(folder, 2)
    try:
        refusal = run(command(folder, 2, **LONG), expect=2)
        assert "in use" in refusal and str(folder) in refusal, refusal
        assert status(folder)["state"].startswith("running"), status(folder)
        run([BARLOW, "stop", folder])
        errors = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 75, errors
    now = status(folder)
    assert now["state"] == "not running" and now["step"].split()[2] == "8000", now
    assert now["checkpoint"].startswith(f"step {now['step'].split()[0]},"), now
    assert "not running" in run([BARLOW, "stop", folder], expect=2)
    run(command(folder, 2, stop_after_steps=1, **LONG), expect=75)  # the request has been answered: it counts once
    steps = [line["step"] for line in metrics(folder)]
    assert steps == list(range(1, len(steps) + 1)), "lines of metrics.jsonl are missing or twice there"
    assert status(folder)["restarts"] == "1"
    assert status(folder)["spent"].split()[1] == "rank-hours", status(folder)
    spent = [rank_seconds(folder / name) for name in ("checkpoint.previous.h5", "checkpoint.h5")]
    assert 0 < spent[0] < spent[1] < 2 * (time.monotonic() - begin), spent


def check_lost_reader():
    """Ctrl-C in `barlow pretrain 2>&1 | tee log` ends tee at once; the run still stops with its checkpoint."""
    folder = FOLDER / "read"
    process = start(folder, 0)
    try:
        process.stderr.close()
        lines = metrics_so_far(folder)
        wait_until(lambda: metrics_so_far(folder) > lines + 1, 60, "no step without a reader of the log")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 75, process.returncode
    finally:
        process.kill()
    assert tensors(folder / "checkpoint.h5")["step"] == metrics(folder)[-1]["step"]


def screen(written, columns):
    """The rows that a terminal shows, which is high enough for all of them."""
    rows, row, column = [""], 0, 0
    for part in re.findall(r"\033\[[AK]|.", written, re.DOTALL):
        if part == "\033[A":
            row -= 1
        elif part == "\033[K":
            rows[row] = rows[row][:column]
        elif part == "\r":
            column = 0
        else:
            if part == "\n" or column == columns:
                row, column = row + 1, 0
                rows += [""] * (row == len(rows))
            if part != "\n":
                rows[row] = rows[row][:column].ljust(column) + part + rows[row][column + 1:]
                column += 1
    return rows


def check_narrow_terminal():
    """The line of progress replaces the one before also where it takes several rows."""
    for columns in 40, 1000:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen(command(FOLDER / f"columns-{columns}", 0), stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 1 << 16):
                written += part
        except OSError:  # the run has closed its end
            pass
        os.close(ours)
        assert process.wait(60) == 0, written
        text = written.decode()
        assert "step 1/8" in text and "step 8/8" in text, text
        rows = screen(text.replace("\r\n", "\n\r"), columns)
        left = [row for row in rows if re.search("step [1-8]/8|images/s| left", row)]
        assert not left and "finished: 8 steps" in "".join(rows), rows


def check_time_limit():
    """A job that ends soon stops in time, and what follows equals a run without an end."""
    folder, whole = FOLDER / "limited", FOLDER / "whole"
    run(command(whole, 1))
    environment = {**os.environ, "SLURM_JOB_END_TIME": str(int(time.time()) + 10)}
    result = subprocess.run(command(folder, 1), env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 75 and "before the job's time limit" in result.stderr, result.stderr
    assert "time limit: at this pace the run needs" in result.stderr and "more job" in result.stderr, result.stderr
    assert len(metrics(folder)) < len(metrics(whole))
    run(command(folder, 1))
    require_same_bits(tensors(whole / "checkpoint.h5"), tensors(folder / "checkpoint.h5"), "weights after the time limit")
    environment["SLURM_JOB_END_TIME"] = str(int(time.time()) + 36000)
    subprocess.run(command(FOLDER / "far", 1), env=environment, capture_output=True, timeout=60, check=True)


def check_lost_checkpoints():
    """A finished run whose checkpoints are gone begins anew: what it had stays, and it does not pass for finished."""
    folder = FOLDER / "lost"
    run(command(folder, 0))
    assert status(folder)["state"] == "finished", status(folder)
    results = {name: (folder / name).read_bytes() for name in ("config.toml", "metrics.jsonl", "backbone.safetensors")}
    for path in folder.glob("checkpoint*"):
        path.unlink()
    errors = run(command(folder, 1, stop_after_steps=2, seed=5), expect=75)
    assert errors.count("warning:") == 1 and str(folder / "earlier-1") in errors, errors
    assert {name: (folder / "earlier-1" / name).read_bytes() for name in results} == results
    assert status(folder)["state"] == "not running" and status(folder)["step"].startswith("2 of 8"), status(folder)
    assert [line["step"] for line in metrics(folder)] == [1, 2] and not (folder / "backbone.safetensors").exists()
    run(command(folder, 1, seed=5))
    assert status(folder)["state"] == "finished" and not (folder / "earlier-2").exists()


def main():
    make_images()
    assert DATA.exists()
    check_one_job_and_stop()
    check_lost_reader()
    check_narrow_terminal()
    check_time_limit()
    check_lost_checkpoints()
    (FOLDER / "shared" / "stop" / "kept").mkdir(parents=True)
    assert "a request to stop" in run(command(FOLDER / "shared", 1, **LONG), expect=2)
    for name in "status", "stop":
        assert "no-run" in run([BARLOW, name, FOLDER / "no-run"], expect=2)


main()
