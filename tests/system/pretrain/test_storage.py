# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, a limit on the size of files, and a folder that turns read-only: the run goes on with the checkpoint it has, says so, and makes it good later."""
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time

import h5py
from program import BARLOW, DATA, FOLDER, STEPS_PER_EPOCH, command, make_images, metrics, run, tensors

NOBODY = 65534
LONG = {"epochs": 100000, "checkpoint_every_steps": 2}


def step_of(path):
    with h5py.File(path) as file:
        return int(file.attrs["step"])


class Background:
    """A run in the background; its messages go to a file, so that the test can read them while it runs."""

    def __init__(self, folder, ranks, **popen):
        self.log = FOLDER / f"{folder.name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command(folder, ranks, **LONG), stdout=subprocess.DEVNULL, stderr=log, **popen)

    def wait_until(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"{what}: the run ended\n{self.log.read_text()}"
            assert time.monotonic() < end, f"{what}: not within {seconds} s\n{self.log.read_text()}"
            time.sleep(0.05)

    def warnings(self):
        return self.log.read_text().count("is not written")

    def end(self, number, expect):
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert code == expect, f"returned {code}, not {expect}\n{self.log.read_text()}"
        return self.log.read_text()


def fill(path):
    """Takes all the space that is left; True."""
    with open(path, "ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    return True


def check_milestones():
    folder = FOLDER / "milestones"
    run(command(folder, 2, epochs=5, keep_every=2, checkpoint_every_steps=3))
    kept = sorted(path.name for path in folder.glob("checkpoint*"))
    assert kept == ["checkpoint.epoch-0002.h5", "checkpoint.epoch-0004.h5", "checkpoint.h5", "checkpoint.previous.h5"], kept
    for epoch in 2, 4:
        path = folder / f"checkpoint.epoch-{epoch:04}.h5"
        assert tensors(path)["step"] == epoch * STEPS_PER_EPOCH
        run([BARLOW, "evaluate", "knn", "--train", DATA, "--test", DATA, "--checkpoint", path, "--k", "3", "--quiet"])
    assert "keep-every = 2" in (folder / "config.toml").read_text()

    # As a job leaves it that is killed between the two renames of a checkpoint; then with milestones only.
    weights = (folder / "backbone.safetensors").read_bytes()
    (folder / "checkpoint.h5").replace(folder / "checkpoint.previous.h5")
    said = subprocess.run([BARLOW, "status", folder], capture_output=True, text=True, timeout=60, check=True).stdout
    assert f"checkpoint   step {5 * STEPS_PER_EPOCH}, " in said, said
    (folder / "checkpoint.previous.h5").unlink()
    errors = run(command(folder, 2, epochs=5, keep_every=2, checkpoint_every_steps=3))
    assert "going on from checkpoint.epoch-0004.h5" in errors and f"going on after step {4 * STEPS_PER_EPOCH}" in errors, errors
    assert (folder / "backbone.safetensors").read_bytes() == weights, "other weights"
    assert [line["step"] for line in metrics(folder)] == list(range(1, 5 * STEPS_PER_EPOCH + 1)), "lines of metrics.jsonl are missing or twice there"


def check_full_disk():
    disk = FOLDER / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=420m", "none", disk], capture_output=True, check=False).returncode != 0:
        print("check_full_disk skipped: a small file system cannot be mounted here (needs root)")
        return
    folder, filler = disk / "run", disk / "filler"
    try:
        job = Background(folder, 2)
        try:
            job.wait_until(lambda: (folder / "checkpoint.previous.h5").exists(), "the first checkpoints")
            fill(filler)
            job.wait_until(lambda: job.warnings() >= 2, "a second warning")
            job.wait_until(lambda: fill(filler) and "lines wait in memory" in job.log.read_text(), "a warning of metrics.jsonl")
            text = job.log.read_text()
            assert "No space left" in text and "goes on" in text and str(folder) in text, text
            whole = step_of(folder / "checkpoint.h5")
            assert tensors(folder / "checkpoint.h5")["step"] == whole and not list(folder.glob("*.tmp"))
            filler.unlink()
            job.wait_until(lambda: step_of(folder / "checkpoint.h5") > whole, "a checkpoint after there is room")
            fill(filler)
            warnings = job.warnings()
            job.wait_until(lambda: job.warnings() > warnings, "a warning of the second time")
            whole = step_of(folder / "checkpoint.h5")
            text = job.end(signal.SIGUSR1, expect=1)
            assert "error:" in text and "start the same command again" in text, text
        finally:
            job.process.kill()
        assert step_of(folder / "checkpoint.h5") == whole and not list(folder.glob("*.tmp"))
        filler.unlink()
        run(command(folder, 2, stop_after_steps=3, **LONG), expect=75)
        assert step_of(folder / "checkpoint.h5") == whole + 3
        assert [line["step"] for line in metrics(folder)] == list(range(1, whole + 4)), "lines of metrics.jsonl are missing or twice there"
        shutil.rmtree(folder)
        check_last_writes(disk, filler)
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def check_last_writes(disk, filler):
    """No room for the weights at the end: exit 1, and the same command finishes once there is room."""
    folder = disk / "last"
    run(command(folder, 1, stop_after_steps=2), expect=75)
    fill(filler)
    errors = run(command(folder, 1), expect=1)  # at once: not even metrics.jsonl can be opened
    assert "metrics.jsonl" in errors and "No space left" in errors, errors
    os.truncate(filler, filler.stat().st_size - (1 << 20))
    errors = run(command(folder, 1), expect=1)
    assert "No space left" in errors and "error:" in errors and "start the same command again" in errors, errors
    assert step_of(folder / "checkpoint.h5") == 2 and not (folder / "backbone.safetensors").exists()
    filler.unlink()
    run(command(folder, 1))
    assert (folder / "backbone.safetensors").exists() and [line["step"] for line in metrics(folder)] == list(range(1, 9))


def check_file_size():
    """A limit on the size of files (`ulimit -f`) is like a full disk."""
    folder = FOLDER / "limited"
    job = Background(folder, 0)
    try:
        job.wait_until(lambda: (folder / "checkpoint.h5").exists(), "the first checkpoint")
        before = resource.prlimit(job.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(job.process.pid, resource.RLIMIT_FSIZE, (1 << 20, before[1]))
        job.wait_until(lambda: job.warnings() >= 2, "a second warning")
        assert "File too large" in job.log.read_text(), job.log.read_text()
        whole = step_of(folder / "checkpoint.h5")
        resource.prlimit(job.process.pid, resource.RLIMIT_FSIZE, before)
        job.wait_until(lambda: step_of(folder / "checkpoint.h5") > whole, "a checkpoint without the limit")
        job.end(signal.SIGTERM, expect=75)
    finally:
        job.process.kill()


def check_read_only():
    if os.geteuid() != 0:
        print("check_read_only skipped: needs root, to become another user")
        return
    for path in FOLDER, DATA:
        os.chmod(path, 0o755)
    folder = FOLDER / "locked" / "run"
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY, NOBODY)

    def become_nobody():
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    program = shutil.copy(BARLOW, FOLDER)  # the checkout may be root's alone
    job = Background(folder, 0, preexec_fn=become_nobody, executable=program)
    try:
        job.wait_until(lambda: (folder / "checkpoint.h5").exists(), "the first checkpoint")
        other = ["setpriv", f"--reuid={NOBODY - 1}", f"--regid={NOBODY - 1}", "--clear-groups", program]
        errors = run([*other, "stop", folder], expect=2)
        assert "Permission denied" in errors and "ask whoever" in errors, errors
        os.chmod(folder / "lock", 0o600)
        for name in "status", "stop":
            errors = run([*other, name, folder], expect=2)
            assert "Permission denied" in errors and str(folder / "lock") in errors, errors
        os.chmod(folder, 0o555)
        job.wait_until(lambda: job.warnings() >= 2, "a second warning")
        assert "Permission denied" in job.log.read_text(), job.log.read_text()
        newest = max(pathlib.Path(folder).glob("checkpoint*.h5"), key=step_of)
        whole = step_of(newest)
        os.chmod(folder, 0o755)
        job.wait_until(lambda: step_of(folder / "checkpoint.h5") > whole, "a checkpoint after the folder is writable")
        os.chmod(folder, 0o555)
        warnings = job.warnings()
        job.wait_until(lambda: job.warnings() > warnings, "a warning of the second time")
        job.end(signal.SIGTERM, expect=1)
    finally:
        job.process.kill()
        os.chmod(folder, 0o755)


def check_unreadable():
    """What is there and may not be read is neither empty nor damaged."""
    if os.geteuid() != 0:
        print("check_unreadable skipped: needs root, to become another user")
        return
    for path in FOLDER, DATA:
        os.chmod(path, 0o755)
    program, folder = shutil.copy(BARLOW, FOLDER), FOLDER / "unreadable" / "run"
    run(command(folder, 1, stop_after_steps=3, checkpoint_every_steps=1), expect=75)
    for path in (folder, *folder.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    as_nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", program]
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}
    for name, mode in (("metrics.jsonl", 0o200), ("checkpoint.h5", 0o200), (".", 0o300)):
        os.chmod(folder / name, mode)
        if name == ".":
            os.rename(folder / "checkpoint.h5", folder / "checkpoint.epoch-0001.h5")
            (folder / "checkpoint.previous.h5").unlink()
        commands = [command(folder, 0)[1:], ["status", folder]] if name == "metrics.jsonl" else [command(folder, 0)[1:]]
        for words in commands:
            errors = run([*as_nobody, *words], expect=2)
            assert "Permission denied" in errors and str(folder / name if name != "." else folder) in errors and "error:" in errors, errors
        os.chmod(folder / name, 0o755)
        if name == ".":
            os.rename(folder / "checkpoint.epoch-0001.h5", folder / "checkpoint.h5")
            del before["checkpoint.previous.h5"]
        after = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "lock"}
        assert after == before, f"{name}: {[key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]} changed"
    os.chmod(folder, 0)
    evaluation = ["evaluate", "knn", "--train", DATA, "--test", DATA, "--checkpoint"]
    for words in (["status"], ["stop"], ["report"], evaluation):
        errors = run([*as_nobody, *words, folder], expect=2)
        assert "Permission denied" in errors and str(folder) in errors, errors
    os.chmod(folder, 0o755)
    run([*as_nobody, *command(folder, 0)[1:]])
    assert [line["step"] for line in metrics(folder)] == list(range(1, 9))


make_images()
for check in (check_milestones, check_full_disk, check_file_size, check_read_only, check_unreadable):
    started = time.monotonic()
    check()
    print(f"{check.__name__}: {time.monotonic() - started:.1f} s", flush=True)
