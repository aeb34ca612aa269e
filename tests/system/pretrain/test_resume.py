# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped or killed anywhere and started again ends with the bits of one that was left alone."""
import os
import random
import shutil
import signal
import subprocess
import time
import zlib

import h5py
from program import FOLDER, STEPS_PER_EPOCH, command, make_images, metrics, require_same_bits, run, tensors

TOTAL = 2 * STEPS_PER_EPOCH
# Two ranks; what a checkpoint costs must not hide the steps between, so one every second step.
FLAGS = {"ranks": 2, "checkpoint_every_steps": 2}


def finished(name):
    folder = FOLDER / name
    assert not list(folder.glob("*.tmp")), f"{name} leaves temporary files"
    return tensors(folder / "checkpoint.h5"), (folder / "backbone.safetensors").read_bytes(), metrics(folder)


def require_same_run(name, reference):
    checkpoint, weights, lines = finished(name)
    require_same_bits(reference[0], checkpoint, name)
    assert weights == reference[1], f"{name}: other final weights"
    assert [line["step"] for line in lines] == list(range(1, TOTAL + 1)), f"{name}: steps {[line['step'] for line in lines]}"
    for line, expected in zip(lines, reference[2]):
        assert line["loss"] == expected["loss"], f"{name}: another loss at step {line['step']}"


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def lines_of(name):
    path = FOLDER / name / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


def check_stops(reference):
    """4 = 2 + 2 with the stop in the middle of an epoch, then at its end, then a single step at a time."""
    for name, stops in (("middle", [2]), ("boundary", [STEPS_PER_EPOCH]), ("single", [1, 1, 1, 2])):
        for steps in stops:
            run(command(FOLDER / name, **FLAGS, stop_after_steps=steps), expect=75)
        assert tensors(FOLDER / name / "checkpoint.h5")["step"] == sum(stops)
        run(command(FOLDER / name, **FLAGS))
        require_same_run(name, reference)


def check_signals(reference):
    """SIGTERM to a rank alone, and SIGUSR1 through mpirun: all ranks stop at one step, and say 75."""
    for name, number, ranks in (("term", signal.SIGTERM, 0), ("int", signal.SIGINT, 0), ("usr1", signal.SIGUSR1, 2)):
        words = command(FOLDER / name, ranks, epochs=1000, checkpoint_every_minutes=0)
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                wait_until(lambda: lines_of(name) >= 1 or process.poll() is not None, 60, f"{name}: no step in a minute")
                process.send_signal(number)
                errors = process.communicate(timeout=60)[1]
            finally:
                process.kill()
        assert process.returncode == 75, f"{name}: returned {process.returncode}\n{errors}"
        assert tensors(FOLDER / name / "checkpoint.h5")["step"] == lines_of(name)
        if ranks == 2:  # begun with other epochs, so with other rates: what it computed is not the reference's
            error = run(command(FOLDER / name, **FLAGS), expect=2)
            assert "--epochs" in error, error
    assert reference


def kill_ranks(mpirun):
    """kill -9 of the ranks themselves, as a node that fails does, and of mpirun."""
    with open(f"/proc/{mpirun.pid}/task/{mpirun.pid}/children", encoding="ascii") as file:
        ranks = [int(word) for word in file.read().split()]
    for process in ranks:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has just finished
    mpirun.kill()
    mpirun.wait()
    wait_until(lambda: not any(os.path.exists(f"/proc/{process}") for process in ranks), 10, "a killed rank lives")


def check_kills(reference):
    """kill -9 at moments spread over the run: in a step, in a checkpoint, between two renames."""
    source = random.Random(5)
    for attempt in range(5):
        name = f"killed-{attempt}"
        words = command(FOLDER / name, 2, checkpoint_every_steps=1)
        for _ in range(2):
            before = lines_of(name)
            with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                target = min(TOTAL, before + 1 + source.randrange(3))
                wait_until(lambda: lines_of(name) >= target or process.poll() is not None, 60, f"{name}: no step in a minute")
                time.sleep(source.random() * 0.05)
                if process.poll() is None:
                    kill_ranks(process)
        run(words)
        require_same_run(name, reference)


def reseal(path):
    """The seal of a file that a test has changed on purpose: as an older or newer program would have written it."""
    content = path.read_bytes()
    line = f"barlow checkpoint: {len(content)} bytes, those after byte 512 have CRC-32 {zlib.crc32(content[512:]):08x}\n"
    path.write_bytes(line.encode().ljust(512, b"\0") + content[512:])


def check_damage(reference):
    """A damaged checkpoint is seen, and the one before is taken; if both are, or are of another format, the run is refused."""
    begun = FOLDER / "damaged"
    run(command(begun, **FLAGS, stop_after_steps=6), expect=75)

    def flip(content):
        content[len(content) // 2] ^= 0x01
        return content

    ways = {"flipped": flip, "cut": lambda content: content[:len(content) // 3], "empty": lambda content: b"", "superblock": lambda content: b"\0" * 2048 + content[2048:]}
    for name, way in ways.items():
        shutil.copytree(begun, FOLDER / name)
        newest, previous = FOLDER / name / "checkpoint.h5", FOLDER / name / "checkpoint.previous.h5"
        newest.write_bytes(way(bytearray(newest.read_bytes())))
        if name in ("flipped", "empty"):
            errors = run(command(FOLDER / name, **FLAGS))
            assert "checkpoint.previous.h5" in errors and "damaged" in errors, errors
            require_same_run(name, reference)
            continue
        previous.write_bytes(way(bytearray(previous.read_bytes())))
        errors = run(command(FOLDER / name, **FLAGS), expect=2)
        assert "no checkpoint of this run is whole" in errors and "--output" in errors, errors

    newest = begun / "checkpoint.h5"
    with h5py.File(newest, "r+") as file:
        file.attrs["format_version"] = 99
    reseal(newest)
    errors = run(command(begun, **FLAGS), expect=2)
    assert "checkpoint format 99" in errors and "--initial-weights" in errors, errors
    with h5py.File(newest, "r+") as file:
        file.attrs["format_version"] = 2
    reseal(newest)
    run(command(begun, **FLAGS))
    require_same_run("damaged", reference)


make_images()
run(command(FOLDER / "reference", **FLAGS))
whole = finished("reference")
assert whole[0]["step"] == TOTAL and len(whole[2]) == TOTAL
for check in (check_stops, check_signals, check_kills, check_damage):
    started = time.monotonic()
    check(whole)
    print(f"{check.__name__}: {time.monotonic() - started:.1f} s", flush=True)
