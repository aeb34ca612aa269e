# SPDX-License-Identifier: Apache-2.0
"""A NaN or an infinity never reaches the weights: the run stops and says where it began, or goes back and leaves that batch out."""
import json
import re
import subprocess

import h5py
from program import BARLOW_DATA, BATCH, FOLDER, command, make_images, metrics, np, require_same_bits, run, tensors

IMAGES, WHITE, GAMMA, TAP = 53, 17, 1.5e18, 8e18


def read_safetensors(path):
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8:8 + size]), bytearray(content[8 + size:])


def write_safetensors(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def values_of(header, data, name):
    first, last = header[name]["data_offsets"]
    return np.frombuffer(memoryview(data)[first:last], dtype="<f4").reshape(header[name]["shape"])


def make_weights():
    """A finished run's weights, with one NaN; and with one channel that overflows on a white pixel only."""
    run(command(FOLDER / "plain", 2, trace=FOLDER / "plain.h5", trace_steps=1))
    header, data = read_safetensors(FOLDER / "plain" / "backbone.safetensors")
    values_of(header, data, "layer2.0.conv1.weight")[3, 1, 0, 2] = np.nan
    write_safetensors(FOLDER / "nan.safetensors", header, data)
    header, data = read_safetensors(FOLDER / "plain" / "backbone.safetensors")
    # A path of one channel: red pixels, normalised over the batch, times GAMMA, times TAP. Grey of a batch gives 0.33 at most,
    # and sums of 64 such rows stay below 3.4e38; one white pixel among 1,728 gives 41, and that overflows.
    for name in "conv1.weight", "layer1.0.conv1.weight":
        values_of(header, data, name)[0] = 0
    values_of(header, data, "conv1.weight")[0, 0, 1, 1] = 1
    values_of(header, data, "bn1.weight")[0], values_of(header, data, "bn1.bias")[0] = GAMMA, 0
    values_of(header, data, "layer1.0.conv1.weight")[0, 0, 1, 1] = TAP
    write_safetensors(FOLDER / "huge.safetensors", header, data)


def make_grey_images():
    """Grey of 124, a tenth 123; one image has a white pixel."""
    images = (124 - (np.random.default_rng(3).random((IMAGES, 24, 24)) < 0.1)).astype(np.uint8)
    images[WHITE, 8, 8] = 255
    folder = FOLDER / "idx"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(np.array([2051, IMAGES, 24, 24], ">i4").tobytes() + images.tobytes())
    (folder / "train-labels-idx1-ubyte").write_bytes(np.array([2049, IMAGES], ">i4").tobytes() + bytes(IMAGES))
    subprocess.run([BARLOW_DATA, "pack", folder / "train-images-idx3-ubyte", "--output", FOLDER / "grey.h5"], check=True, capture_output=True)


def report_of(errors):
    return json.loads(open(re.search(r"\((\S+nonfinite-step-\d+\S*\.json)\)", errors)[1], encoding="utf-8").read())


def check_stop():
    folder = FOLDER / "nan"
    errors = run(command(folder, 2, initial_weights=FOLDER / "nan.safetensors"), expect=1)
    assert "step 1: the weights backbone.layer2.0.conv1.weight is not finite" in errors and "--on-nonfinite rollback" in errors, errors
    report = report_of(errors)
    with h5py.File(FOLDER / "plain.h5") as trace:
        assert report["sample_ids"] == trace["step_000000/sample_ids"][()].tolist() and len(report["sample_ids"]) == BATCH
    bad = [entry for entry in report["parameters"] if entry["non_finite"]]
    assert [entry["name"] for entry in bad] == ["backbone.layer2.0.conv1.weight"] and bad[0]["non_finite"] == 1, bad
    assert any(entry["non_finite"] for entry in report["gradients"]) and report["on_diagonal"] == "nan"
    assert not (folder / "checkpoint.h5").exists() and not (folder / "backbone.safetensors").exists()


def check_hopeless():
    """A rate that no batch is to blame for: rollbacks do not help, their number is limited, and the checkpoint stays finite."""
    folder = FOLDER / "rate"
    errors = run(command(folder, 2, learning_rate_weights=1e9, learning_rate_biases=1e9, momentum=0.99, lars_eta=1e9, epochs=50,
                         on_nonfinite="rollback", max_rollbacks=2), expect=1)
    assert "rollback 2 of 2" in errors and "--max-rollbacks 2" in errors and "--learning-rate-weights" in errors, errors
    assert len(list(folder.glob("nonfinite-step-*.json"))) == 3
    saved = tensors(folder / "checkpoint.h5")
    assert len(saved["skipped_batches"]) == 2
    assert all(np.isfinite(values).all() for name, values in saved.items() if name.startswith("parameters/"))


def check_rollback():
    """One image is at fault. The run goes on without its batches, and stopped anywhere it comes to the same weights."""
    flags = {"data": FOLDER / "grey.h5", "augmentation": "none", "crop": "center", "initial_weights": FOLDER / "huge.safetensors", "epochs": 3}
    errors = run(command(FOLDER / "stops", 2, **flags), expect=1)
    assert "the input of the norm backbone.layer1.0.bn1 (activations)" in errors, errors
    assert WHITE in report_of(errors)["sample_ids"]
    flags["on_nonfinite"] = "rollback"
    errors = run(command(FOLDER / "whole", 2, checkpoint_every_steps=2, **flags))
    whole = tensors(FOLDER / "whole" / "checkpoint.h5")
    skipped = whole["skipped_batches"].tolist()
    assert errors.count("going back to step") == len(skipped) >= 1, errors
    steps = [line["step"] for line in metrics(FOLDER / "whole")]
    assert steps == list(range(1, 13)), f"lines of metrics.jsonl are missing or twice there: {steps}"
    for rank_count, stops in ((2, [1] * 11), (2, [5, 4])):
        folder = FOLDER / f"stopped-{len(stops)}"
        for steps in stops:
            run(command(folder, rank_count, stop_after_steps=steps, **flags), expect=75)
        run(command(folder, rank_count, **flags))
        require_same_bits(whole, tensors(folder / "checkpoint.h5"), f"{len(stops)} stops")
        assert [(line["step"], line["loss"]) for line in metrics(folder)] == [(line["step"], line["loss"]) for line in metrics(FOLDER / "whole")]


make_images()
make_weights()
make_grey_images()
for check in (check_stop, check_hopeless, check_rollback):
    check()
    print(f"{check.__name__} passed", flush=True)
