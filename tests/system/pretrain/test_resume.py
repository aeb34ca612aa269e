# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped anywhere, or damaged, and started again ends with the bits of one that was left alone. Kills: tests/soak."""
import random
import shutil
import signal
import subprocess
import time
import zlib

import h5py
from program import BARLOW, FOLDER, STEPS_PER_EPOCH, command, finished, make_images, require_same_run, run, tensors, wait_until

TOTAL = 2 * STEPS_PER_EPOCH
# Two ranks; what a checkpoint costs must not hide the steps between, so one every second step.
FLAGS = {"ranks": 2, "checkpoint_every_steps": 2}


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
        require_same_run(FOLDER / name, reference)


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


def reseal(path):
    """The seal of a file that a test has changed on purpose: as an older or newer program would have written it."""
    content = path.read_bytes()
    line = f"barlow checkpoint: {len(content)} bytes, those after byte 512 have CRC-32 {zlib.crc32(content[512:]):08x}\n"
    path.write_bytes(line.encode().ljust(512, b"\0") + content[512:])


def check_random_damage(begun):
    """The program's own reader, where tests/unit/train/test_damage.cpp has 1,000 cases: back to the one before, or refused; nothing else."""
    source = random.Random(3)
    folder = FOLDER / "random"
    folder.mkdir()
    shutil.copy(begun / "config.toml", folder)
    files = {name: (begun / name).read_bytes() for name in ("checkpoint.h5", "checkpoint.previous.h5")}
    for attempt in range(24):
        damaged = list(files)[:1 + attempt % 2]
        for name, content in files.items():
            place = source.randrange(len(content))
            changed = content[:place] if source.random() < 0.5 else content[:place] + bytes([content[place] ^ 1 << source.randrange(8)]) + content[place + 1:]
            (folder / name).write_bytes(changed if name in damaged else content)
        result = subprocess.run([BARLOW, "status", folder], capture_output=True, text=True, timeout=60, check=False)
        said = result.stdout + result.stderr
        if len(damaged) == 1:
            assert result.returncode == 0 and "checkpoint   step 4" in said and "damaged" in said, f"{result.returncode}\n{said}"
        else:
            assert result.returncode == 2 and "no checkpoint of this run is whole" in said and "step" not in result.stdout, f"{result.returncode}\n{said}"
    shutil.rmtree(folder)


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
            assert (FOLDER / name / "checkpoint.damaged.h5").exists(), errors
            require_same_run(FOLDER / name, reference)
            continue
        previous.write_bytes(way(bytearray(previous.read_bytes())))
        errors = run(command(FOLDER / name, **FLAGS), expect=2)
        assert "no checkpoint of this run is whole" in errors and "--output" in errors, errors
    check_random_damage(begun)

    newest = begun / "checkpoint.h5"
    whole_file = newest.read_bytes()
    newest.write_bytes(whole_file[512:])  # what format 1 was: HDF5 without a seal
    errors = run(command(begun, **FLAGS), expect=2)
    assert "checkpoint format 1" in errors and "--initial-weights" in errors, errors
    newest.write_bytes(whole_file)
    with h5py.File(newest, "r+") as file:
        file.attrs["format_version"] = 99
    reseal(newest)
    errors = run(command(begun, **FLAGS), expect=2)
    assert "checkpoint format 99" in errors and "--initial-weights" in errors, errors
    with h5py.File(newest, "r+") as file:
        file.attrs["format_version"] = 2
    reseal(newest)
    run(command(begun, **FLAGS))
    require_same_run(begun, reference)


make_images()
run(command(FOLDER / "reference", **FLAGS))
whole = finished(FOLDER / "reference")
assert whole[0]["checkpoint.h5/step"] == TOTAL and len(whole[2]) == TOTAL
for check in (check_stops, check_signals, check_damage):
    started = time.monotonic()
    check(whole)
    print(f"{check.__name__}: {time.monotonic() - started:.1f} s", flush=True)
