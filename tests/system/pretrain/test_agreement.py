# SPDX-License-Identifier: Apache-2.0
"""Ranks that were started differently, or see other files: refused at the start with one message that names the rank, not a hang."""
import shutil
import socket

from program import BARLOW, BARLOW_DATA, DATA, FOLDER, MPIEXEC, command, make_images, metrics, run


def apart(first, second):
    """One job of two ranks, each with a command line of its own."""
    return [MPIEXEC, "-n", "1", *first, ":", "-n", "1", *second]


def refused(first, second, *naming):
    errors = run(apart(first, second), expect=2, seconds=60)
    for text in ("[rank 1 of 2, " + socket.gethostname(), *naming):
        assert str(text) in errors, f"the message does not name {text}:\n{errors}"
    assert errors.count("error:") == 1, f"not one message:\n{errors}"


def ranks(output, **flags):
    """Rank 0 with the model's flags, rank 1 with others."""
    return command(FOLDER / output, 0), command(FOLDER / output, 0, **flags)


def check_command_lines():
    here = FOLDER / "here.toml"
    here.write_text("seed = 3\n")
    lacking = FOLDER / "not-on-this-node.toml"
    refused(command(FOLDER / "lacking", 0, config=here), command(FOLDER / "lacking", 0, config=lacking), lacking)
    broken = FOLDER / "broken.toml"
    broken.write_text("seed = [\n")
    refused(command(FOLDER / "lacking", 0, config=here), command(FOLDER / "lacking", 0, config=broken), "--help")
    refused(*ranks("lacking", preset="no-such-preset"), "no-such-preset")
    assert not (FOLDER / "lacking").exists(), "a refused job leaves a run folder"
    pixels = [BARLOW, "evaluate", "knn", "--raw-pixels", "--train", DATA, "--test", DATA, "--image-size"]
    refused([*pixels, "12"], [*pixels, "many"], "--image-size")
    refused([BARLOW_DATA, "info", DATA], [BARLOW_DATA, "info", DATA, "--jsom"], "--jsom")


def check_settings():
    refused(*ranks("settings", learning_rate_weights=0.3), "--learning-rate-weights is 0.3, but 0.2 on rank 0")
    refused(*ranks("settings", seed=5), "--seed")
    refused(*ranks("settings", on_nonfinite="rollback"), "--on-nonfinite")
    refused(*ranks("settings", trace=FOLDER / "trace.h5"), "--trace")
    refused(command("settings", 0), [BARLOW, "status", "settings"], "the command")
    run(apart(*ranks("checked", check_config=True)), seconds=60)  # one rank that only looks: all do
    assert not (FOLDER / "checked").exists()
    run(apart(*ranks("settings", workers=2, threads=1, data=COPY, quiet=True)))  # a rank's own affairs


def check_images():
    others, more = FOLDER / "others.h5", FOLDER / "more.h5"
    make_images(others, seed=9)
    make_images(more, images=70)
    for path in others, more:
        refused(*ranks("images", data=path), path, "images with fingerprint")


def check_initial_weights():
    """Rank 0's file counts: ranks that begin with other weights would never notice."""
    for seed in 1, 2:
        run(command(FOLDER / f"weights-{seed}", 0, seed=seed, epochs=1))
    shutil.copytree(FOLDER / "weights-1", FOLDER / "host-1")
    shutil.copytree(FOLDER / "weights-2", FOLDER / "host-2")
    losses = []
    for second in 1, 2:
        first, other = (["env", "-C", FOLDER / f"host-{host}", *command(FOLDER / f"begun-{second}", 0, stop_after_steps=2, initial_weights="backbone.safetensors")]
                        for host in (1, second))
        run(apart(first, other), expect=75)
        losses.append([line["loss"] for line in metrics(FOLDER / f"begun-{second}")])
    assert losses[0] == losses[1], losses


def check_evaluation():
    raw = [BARLOW, "evaluate", "linear", "--raw-pixels", "--image-size", "12", "--epochs", "2"]
    sets = ["--train", DATA, "--test", DATA]
    refused([*raw, *sets], [*raw, "--train", DATA, "--test", FOLDER / "more.h5"], "--test", "images with fingerprint")
    refused([*raw, *sets], [*raw, "--train", FOLDER / "others.h5", "--test", DATA], "--train")
    refused([*raw, *sets], [*raw[:-1], "3", *sets], "--epochs is 3, but 2 on rank 0")
    refused([*raw, *sets], [BARLOW, "evaluate", "knn", *raw[3:6], *sets], "the protocol")
    run(apart([*raw, *sets], [*raw, "--train", COPY, "--test", COPY, "--quiet", "--threads", "1"]))


def check_packing():
    made = [BARLOW_DATA, "synthesize", "--output", FOLDER / "made", "--images", "8", "--classes", "2", "--size", "8x8"]
    refused(made, [*made, "--seed", "7"], "--seed is 7, but 0 on rank 0")
    refused(made, [*made, "--shards", "2"], "--shards is 2, but not given on rank 0")
    for host, image in enumerate(("first.jpg", "other.jpg")):
        (FOLDER / f"source-{host}" / "class").mkdir(parents=True)
        (FOLDER / f"source-{host}" / "class" / image).write_bytes(b"")
    refused(*([BARLOW_DATA, "pack", FOLDER / f"source-{host}", "--output", FOLDER / "made"] for host in range(2)), "what SOURCE holds is 1 images")
    refused(*([BARLOW_DATA, "verify", path] for path in (DATA, FOLDER / "others.h5")), "the fingerprint of DATASET")
    run(apart(made, made))
    run(apart(*([BARLOW_DATA, "verify", path] for path in (DATA, COPY))))
    assert not list(FOLDER.glob("made?*")), list(FOLDER.glob("made?*"))


make_images()
COPY = shutil.copy(DATA, FOLDER / "copy.h5")
for check in (check_command_lines, check_settings, check_images, check_initial_weights, check_evaluation, check_packing):
    check()
    print(f"{check.__name__} passed", flush=True)
