# SPDX-License-Identifier: Apache-2.0
"""What the tests of `barlow pretrain` share: a small set of images, a small model, and how a run is started. BARLOW_TEST_DEVICE=cuda
runs them on GPUs, which ranks may share, BARLOW_TEST_COLLECTIVES chooses what they exchange by."""
import atexit
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error} (python3-numpy, python3-h5py)")
    sys.exit(77)

BARLOW, BARLOW_DATA, MPIEXEC = sys.argv[1:4]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="barlow-pretrain-test-"))
atexit.register(shutil.rmtree, FOLDER, True)
DATA = FOLDER / "images.h5"
BATCH, STEPS_PER_EPOCH = 12, 4
MODEL = {"data": DATA, "architecture": "resnet18", "backbone-width": 16, "stem": "tiny", "image-size": 24, "projector": "32-48", "batch-size": BATCH,
         "precision": "fp32", "epochs": 2, "warmup-epochs": 0, "log-every-steps": 1, "workers": 1}
DEVICE = os.environ.get("BARLOW_TEST_DEVICE", "cpu")
MODEL |= {"device": DEVICE, "collectives": os.environ.get("BARLOW_TEST_COLLECTIVES")}
if DEVICE != "cpu":
    MODEL |= {"share-device": True, "deterministic": True}


def make_images(path=DATA, images=BATCH * STEPS_PER_EPOCH + 5, seed=0):
    subprocess.run([BARLOW_DATA, "synthesize", "--output", path, "--images", str(images), "--classes", "3", "--size", "40x32",
                    "--seed", str(seed)], check=True, capture_output=True)


def command(output, ranks=1, **flags):
    """The command of a run; flags replace MODEL's, None leaves one out, True gives one without a value."""
    words = [BARLOW, "pretrain"] if ranks == 0 else [MPIEXEC, "-n", str(ranks), BARLOW, "pretrain"]
    for name, value in {**MODEL, "output": output, **{key.replace("_", "-"): value for key, value in flags.items()}}.items():
        if value is not None:
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words


def run(words, expect=0, seconds=120):
    """Runs to the end; standard error. Any other exit code than `expect` fails the test."""
    result = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    shown = " ".join(map(str, words))
    assert result.returncode == expect, f"{shown}\nreturned {result.returncode}, not {expect}\n{result.stdout}{result.stderr}"
    return result.stderr


def tensors(file):
    """Every dataset of an HDF5 file by name."""
    found = {}
    with h5py.File(file) as opened:
        opened.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        found["step"] = np.asarray(opened.attrs.get("step", -1))
    return found


def require_same_bits(first, second, what):
    assert first.keys() == second.keys(), what
    different = [name for name in first if first[name].tobytes() != second[name].tobytes()]
    assert not different, f"{what}: {len(different)} of {len(first)} tensors differ, such as {different[:3]}"


def metrics(run_folder):
    return [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]


MEASURED = ("images_per_second", "loader_wait_share", "seconds_left", "time")


def finished(folder):
    """What two runs of one command must have in common, bit for bit: the last checkpoint and milestones, weights, lines."""
    left = [path.name for path in folder.glob("*.tmp")]
    assert not left, f"{folder.name} is left with {left}"
    checkpoints = {}
    for path in [folder / "checkpoint.h5", *folder.glob("checkpoint.epoch-*.h5")]:
        checkpoints |= {f"{path.name}/{name}": values for name, values in tensors(path).items()}
        with h5py.File(path) as opened:
            for name in "num_batches_tracked", "data_fingerprint", "loss_scale", "loss_scale_steady_steps":
                checkpoints[f"{path.name}/{name}"] = np.asarray(opened.attrs[name])
    lines = [{key: value for key, value in line.items() if key not in MEASURED} for line in metrics(folder)]
    return checkpoints, (folder / "backbone.safetensors").read_bytes(), lines


def require_same_run(folder, reference):
    checkpoints, weights, lines = finished(folder)
    require_same_bits(reference[0], checkpoints, folder.name)
    assert weights == reference[1], f"{folder.name}: other final weights"
    assert [line["step"] for line in lines] == list(range(1, len(reference[2]) + 1)), f"{folder.name}: steps {[line['step'] for line in lines]}"
    for line, expected in zip(lines, reference[2]):
        assert line == expected, f"{folder.name}: {line}, expected {expected}"


def wait_until(condition, seconds, what, pause=0.005):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(pause)


def ranks_of(mpirun):
    """The process ids of its ranks; empty while it has started none, or when it is over."""
    try:
        with open(f"/proc/{mpirun.pid}/task/{mpirun.pid}/children", encoding="ascii") as file:
            return sorted(int(word) for word in file.read().split())
    except FileNotFoundError:
        return []


def is_alive(process):
    return os.path.exists(f"/proc/{process}")


def kill_processes(processes):
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has just finished
