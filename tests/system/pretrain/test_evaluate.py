# SPDX-License-Identifier: Apache-2.0
"""What follows a run: evaluation on any number of ranks, from every kind of file, and the report."""
import json
import os
import re
import shutil
import subprocess

import h5py
import numpy as np
from program import BARLOW, BARLOW_DATA, DATA, FOLDER, MODEL, MPIEXEC, command, make_images, run

TEST = FOLDER / "test.h5"
PLAIN = ["--architecture", MODEL["architecture"], "--backbone-width", str(MODEL["backbone-width"]), "--stem", MODEL["stem"], "--image-size", str(MODEL["image-size"])]
COMMON = ["--train", DATA, "--test", TEST, "--quiet", "--precision", "fp32"]


def evaluate(protocol, *flags, ranks=1):
    file = FOLDER / "evaluation.json"
    file.unlink(missing_ok=True)
    launch = [] if ranks == 0 else [MPIEXEC, "-n", str(ranks)]
    run([*launch, BARLOW, "evaluate", protocol, *COMMON, "--json", file, *flags])
    content = json.loads(file.read_text())
    results = content if isinstance(content, list) else [content]
    for result in results:
        assert result["train_images"] == 53 and result["test_images"] == 21, result
        assert 0 <= result["top1"] <= result["top5"] <= 100, result
        assert result["encoder"] == "raw pixels" or result["precision"] == "fp32", result
        assert ("seed" in result) == (result["encoder"] == "untrained"), result
    return {result["protocol"]: (result["top1"], result["top5"]) for result in results}


def check_encoders(finished):
    few = ["--k", "7", "--epochs", "5", "--batch-size", "12"]
    expected = evaluate("all", "--checkpoint", finished, *few, ranks=0)
    for ranks in 1, 3:
        assert evaluate("all", "--checkpoint", finished, *few, ranks=ranks) == expected, f"{ranks} ranks"
    assert evaluate("knn", "--checkpoint", finished / "checkpoint.h5", "--k", "7")["knn"] == expected["knn"], "checkpoint"
    weights = finished / "backbone.safetensors"
    assert evaluate("knn", "--checkpoint", weights, *PLAIN, "--k", "7")["knn"] == expected["knn"], "safetensors"
    tidied = FOLDER / "tidied"
    tidied.mkdir()
    for file in weights, finished / "config.toml":
        shutil.copy(file, tidied)
    assert evaluate("knn", "--checkpoint", tidied, "--k", "7", ranks=2)["knn"] == expected["knn"], "weights and config.toml"
    odd = shutil.copy(finished / "checkpoint.h5", FOLDER / os.fsdecode(b"w\xe9.h5"))
    assert evaluate("knn", "--checkpoint", odd, "--k", "7")["knn"] == expected["knn"], "a name that is no UTF-8"
    assert evaluate("linear", "--untrained", *PLAIN, "--epochs", "2", ranks=2).keys() == {"linear"}


def check_damage(begun):
    """A damaged newest checkpoint: a warning that names it, and the result of the one before. Evaluation moves no file."""
    folder = FOLDER / "damaged"
    shutil.copytree(begun, folder)
    newest, previous = folder / "checkpoint.h5", folder / "checkpoint.previous.h5"
    whole = newest.read_bytes()
    middle = len(whole) // 2
    result, knn = FOLDER / "damaged.json", ["--k", "7", "--json", FOLDER / "damaged.json"]

    def evaluation(checkpoint, expect=0):
        errors = run([MPIEXEC, "-n", "2", BARLOW, "evaluate", "knn", *COMMON, "--checkpoint", checkpoint, *knn], expect=expect)
        return errors, {key: value for key, value in json.loads(result.read_text()).items() if key != "seconds"}

    expected = evaluation(previous)[1]
    assert expected["encoder"] == str(previous) and evaluation(folder)[1]["encoder"] == str(newest), expected
    for damaged in whole[:middle], whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:]:
        newest.write_bytes(damaged)
        files = sorted(path.name for path in folder.iterdir())
        errors, found = evaluation(folder)
        assert errors.count("going back to checkpoint.previous.h5") == 1 and str(newest) in errors and "damaged" in errors, errors
        assert found == expected, f"{found}, expected {expected}"
        assert newest.read_bytes() == damaged and sorted(path.name for path in folder.iterdir()) == files, "evaluate has changed the folder"
    previous.write_bytes(previous.read_bytes()[:middle])
    errors = evaluation(folder, expect=2)[0]
    assert "no checkpoint of this run is whole" in errors, errors


def check_raw_pixels():
    """Nearest neighbours of raw pixels against the formula: weights exp(cosine / temperature), summed by class."""
    rng = np.random.default_rng(5)
    folder = FOLDER / "idx"
    folder.mkdir()
    files, features, classes = {}, {}, {}
    for name, count in ("train", 53), ("test", 21):
        labels = np.arange(count) % 3
        images = (rng.integers(0, 90, (count, 12, 12)) + 60 * labels[:, None, None] * rng.random((count, 1, 1))).astype(np.uint8)
        (folder / f"{name}-images-idx3-ubyte").write_bytes(np.array([2051, count, 12, 12], ">i4").tobytes() + images.tobytes())
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(np.array([2049, count], ">i4").tobytes() + labels.astype(np.uint8).tobytes())
        files[name] = FOLDER / f"grey-{name}.h5"
        run([BARLOW + "-data", "pack", folder / f"{name}-images-idx3-ubyte", "--output", files[name]])
        rows = np.repeat(images.reshape(count, -1) / 255, 3, axis=1)
        features[name], classes[name] = rows / np.linalg.norm(rows, axis=1, keepdims=True), labels
    similarity = features["test"] @ features["train"].T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :7]
    scores = np.zeros((len(nearest), 3))
    for row, neighbours in enumerate(nearest):
        np.add.at(scores[row], classes["train"][neighbours], np.exp(similarity[row, neighbours] / 0.07))
    expected = 100 * np.mean(scores.argmax(axis=1) == classes["test"])
    result = FOLDER / "raw.json"
    run([MPIEXEC, "-n", "2", BARLOW, "evaluate", "knn", "--raw-pixels", "--image-size", "12", "--train", files["train"], "--test", files["test"],
         "--k", "7", "--quiet", "--json", result])
    found = json.loads(result.read_text())
    found = found[0] if isinstance(found, list) else found
    assert abs(found["top1"] - expected) < 0.01, f"{found['top1']} by barlow, {expected} by the formula"


def check_classes():
    """Classes go by name: every test image is a training image, so its nearest neighbour has its class, whatever numbers the sets give them."""
    with h5py.File(DATA) as file:
        content, offsets, labels = file["bytes"][:], file["offsets"][:], file["labels"][:]
    knn = ["--raw-pixels", "--image-size", "24", "--k", "1", "--quiet"]
    result, sets = FOLDER / "classes.json", {}
    for name, classes in ("all", {0: "ant", 1: "bee", 2: "cat"}), ("fewer", {1: "bee", 2: "cat"}), ("others", {0: "ant", 1: "dog"}), ("none", {0: "dog"}), ("numbers", {0: "0", 1: "1", 2: "2"}):
        for index, label in enumerate(labels):
            if label in classes:
                path = FOLDER / name / classes[label] / f"{index}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content[offsets[index]:offsets[index + 1]].tobytes())
        sets[name] = FOLDER / f"{name}.h5"
        run([BARLOW_DATA, "pack", FOLDER / name, "--output", sets[name]])
    run([MPIEXEC, "-n", "2", BARLOW, "evaluate", "knn", "--train", sets["all"], "--test", sets["fewer"], *knn, "--json", result])
    assert json.loads(result.read_text())["top1"] == 100, result.read_text()
    run([BARLOW, "evaluate", "knn", "--train", sets["all"], "--test", sets["numbers"], *knn, "--json", result])
    assert json.loads(result.read_text())["top1"] == 100, result.read_text()
    for stranger in "others", "none":
        assert "dog" in run([BARLOW, "evaluate", "knn", "--train", sets["all"], "--test", sets[stranger], *knn], expect=2), stranger


def check_not_finite(finished):
    """An encoder whose weights are NaN has no accuracy, however few of them are."""
    broken = FOLDER / "broken.safetensors"
    content = (finished / "backbone.safetensors").read_bytes()
    size = int.from_bytes(content[:8], "little")
    begin = json.loads(content[8:8 + size])["layer4.1.conv2.weight"]["data_offsets"][0] + 8 + size
    broken.write_bytes(content[:begin] + np.float32("nan").tobytes() + content[begin + 4:])
    for protocol in "knn", "linear":
        errors = run([MPIEXEC, "-n", "2", BARLOW, "evaluate", protocol, *COMMON, "--checkpoint", broken, *PLAIN], expect=2)
        assert "not finite" in errors and broken.name in errors and DATA.name in errors, errors


def check_refusals(finished):
    cut = FOLDER / "cut.safetensors"
    whole = (finished / "backbone.safetensors").read_bytes()
    cut.write_bytes(whole[:5000])
    deeper, size = FOLDER / "deeper.safetensors", int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8:8 + size])
    end = len(whole) - 8 - size
    header["layer1.2.conv1.weight"] = {"dtype": "F32", "shape": [1], "data_offsets": [end, end + 4]}
    text = json.dumps(header).encode()
    deeper.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + size:] + bytes(4))
    frozen = FOLDER / "no-statistics.safetensors"
    text = json.dumps({name: entry for name, entry in json.loads(whole[8:8 + size]).items() if name != "bn1.running_var"}).encode()
    frozen.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + size:])
    cases = [(["--checkpoint", FOLDER / "missing"], "missing"), (["--checkpoint", frozen, *PLAIN], "bn1.running_var is missing"), (["--checkpoint", cut, *PLAIN], "cut.safetensors"),
             (["--checkpoint", deeper, *PLAIN], "layer1.2.conv1.weight is of a deeper network"),
             (["--checkpoint", DATA], DATA.name), (["--checkpoint", finished / "backbone.safetensors", "--architecture", "resnet50", *PLAIN[2:]], "layer1.0.conv1"),
             (["--checkpoint", finished / "backbone.safetensors"], "give the --architecture, --stem and --backbone-width"),
             (["--checkpoint", finished, "--untrained"], "--untrained"), (["--untrained", *PLAIN, "--k", "0"], "--k"), (["--untrained", *PLAIN, "--temperature", "nan"], "--temperature"),
             (["--untrained", *PLAIN, "--test", FOLDER / "no-test.h5"], "no-test.h5"), ([], "--checkpoint")]
    for flag, value in ("architecture", "foo"), ("stem", "huge"), ("precision", "fp8"), ("device", "tpu"), ("collectives", "udp"), ("backbone-width", "12"):
        cases.append((["--untrained", f"--{flag}", value, "--check-config"], f"--{flag}"))
    for flags, naming in cases:
        kept = COMMON[:2] + COMMON[4:] if "--test" in flags else COMMON
        errors = run([MPIEXEC, "-n", "2", BARLOW, "evaluate", "knn", *kept, *flags], expect=2)
        assert naming in errors, f"{flags}: the message does not name {naming}:\n{errors}"


def check_report(finished, begun):
    for folder in finished, begun:
        run([BARLOW, "report", folder])
        page = (folder / "report.html").read_text()
        outside = re.findall(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//[^"'\s>]+""", page)
        assert not outside, f"the report needs {outside}"
        assert "noise floor" in page and "resnet18" in page and "</html>" in page
    assert "no-run" in run([BARLOW, "report", FOLDER / "no-run"], expect=2)


def check_results_that_cannot_be_written(finished):
    """Refused before the work where a flag names the place; an error, never exit 0, where standard output is full."""
    nowhere = FOLDER / "nowhere" / "result"
    knn = [BARLOW, "evaluate", "knn", *COMMON, "--checkpoint", FOLDER / "looked-at-later", "--json"]
    for words in ([*knn, nowhere], [*knn, FOLDER], [*knn, TEST], [MPIEXEC, "-n", "2", *knn, nowhere], [BARLOW, "report", finished, "--output", nowhere]):
        errors = run(words, expect=2)
        assert str(words[-1]) in errors and errors.count("error:") == 1, errors
    for words in (["evaluate", "knn", *COMMON, "--checkpoint", finished], ["status", finished], ["--version"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            result = subprocess.run([BARLOW, *words], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        assert result.returncode == 1 and "No space left" in result.stderr, f"{words}: {result.returncode} {result.stderr}"


def check_more_ranks_than_images():
    few = FOLDER / "few.h5"
    make_images(few, images=2)
    errors = run([MPIEXEC, "-n", "3", BARLOW, "evaluate", "knn", "--untrained", *PLAIN, "--k", "1", "--train", few, "--test", DATA], expect=2)
    assert "2 images" in errors and "3 ranks" in errors and errors.count("error:") == 1, errors


def main():
    make_images()
    make_images(TEST, images=21, seed=4)
    finished, begun = FOLDER / "finished", FOLDER / "begun"
    run(command(finished, 2))
    run(command(begun, 0, stop_after_steps=2), expect=75)
    check_encoders(finished)
    check_damage(finished)
    check_raw_pixels()
    check_classes()
    check_not_finite(finished)
    check_refusals(finished)
    check_report(finished, begun)
    check_results_that_cannot_be_written(finished)
    check_more_ranks_than_images()


main()
