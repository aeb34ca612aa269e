# SPDX-License-Identifier: Apache-2.0
"""Whatever the user can mend is refused with exit code 2 and one message that names it, on any number of ranks."""
import subprocess

import h5py
from program import BARLOW, BATCH, DATA, DEVICE, FOLDER, command, make_images, metrics, run

CASES = [  # flags, what the message must name
    ({"no_such_flag": 1}, "no-such-flag"),
    ({"architecture": "resnet51"}, "resnet51"),
    ({"backbone_width": 20}, "backbone-width"),
    ({"stem": "large"}, "stem"),
    ({"projector": "64-"}, "projector"),
    ({"projector": "64x64"}, "projector"),
    ({"batch_size": "many"}, "batch-size"),
    ({"batch_size": 1}, "batch-size"),
    ({"batch_size": 7}, "batch-size"),
    ({"batch_size": 4000}, "4000"),
    ({"batch_size": 4294967298}, "from 2 to 16777216"),
    ({"hang_timeout": ""}, '--hang-timeout: ""'),
    ({"seed": 9223372036854775808}, "--seed"),
    ({"flip": -1}, "--flip"),
    ({"learning_rate_weights": -1}, "learning-rate-weights"),
    ({"epochs": 0}, "epochs"),
    ({"precision": "fp8"}, "fp8"),
    ({"crop_scale_min": 0.9, "crop_scale_max": 0.5}, "crop-scale-min"),
    ({"data": FOLDER / "missing.h5"}, "missing.h5"),
    ({"data": __file__}, "test_refusals.py"),
    ({"data": None}, "--data"),
    ({"initial_weights": FOLDER / "missing.safetensors"}, "missing.safetensors"),
    ({"initial_weights": __file__}, "test_refusals.py"),
    ({"config": FOLDER / "unknown.toml"}, 'unknown.toml:2: unknown key "batch_size"; did you mean batch-size?'),
    ({"config": FOLDER / "missing.toml"}, "missing.toml"),
    ({"quiet": True, "verbose": True}, "--quiet"),
]
if DEVICE == "cpu":
    CASES.append(({"device": "cuda"}, "cuda"))


def refused(words, naming):
    errors = run(words, expect=2)
    shown = " ".join(map(str, words))
    assert naming in errors, f"{shown}\nthe message does not name {naming}:\n{errors}"
    messages = [line for line in errors.splitlines() if "error:" in line]
    assert len(messages) == 1, f"{shown}\n{len(messages)} messages instead of one:\n{errors}"
    return errors


def check_flags():
    (FOLDER / "unknown.toml").write_text("# sizes\nbatch_size = 1\n")
    for number, (flags, naming) in enumerate(CASES):
        refused(command(FOLDER / f"refused-{number}", 2, **flags), naming)
    assert not list(FOLDER.glob("refused-*/checkpoint*")), "a refused run leaves a checkpoint"
    (FOLDER / "file").write_text("")
    refused(command(FOLDER / "file", 0), "file")


def check_other_run():
    """A run goes on only as what it was begun as."""
    run(command(FOLDER / "begun", 0, stop_after_steps=1), expect=75)
    refused(command(FOLDER / "begun", 2, learning_rate_weights=0.5), "--learning-rate-weights")
    refused(command(FOLDER / "begun", 0, projector="32-64"), "--projector: was")
    refused(command(FOLDER / "begun", 2, stem="small"), "--stem: was")
    make_images(FOLDER / "others.h5", images=60, seed=9)
    refused(command(FOLDER / "begun", 0, data=FOLDER / "others.h5"), "others.h5")
    run(command(FOLDER / "begun", 2, stop_after_steps=1), expect=75)  # another number of ranks is no contradiction


def check_configuration_file():
    """The resolved configuration is a configuration file; the command line wins over it."""
    (FOLDER / "run.toml").write_text((FOLDER / "begun" / "config.toml").read_text())
    only = {"config": FOLDER / "run.toml", "output": FOLDER / "from-file", "stop-after-steps": 1}
    words = command(FOLDER / "from-file", 0)[:2] + [word for key, value in only.items() for word in (f"--{key}", str(value))]
    run(words, expect=75)
    strip = lambda path: [line for line in path.read_text().splitlines() if not line.startswith(("#", "output"))]
    assert strip(FOLDER / "from-file" / "config.toml") == strip(FOLDER / "run.toml")
    odd = FOLDER / 'r ü' / '#1 "x" = [\\\n]'
    run(command(odd, 0, stop_after_steps=1), expect=75)
    run([BARLOW, "pretrain", "--config", str(odd / "config.toml"), "--stop-after-steps", "1"], expect=75)
    assert [path for path in FOLDER.rglob("config.toml") if "ü" in str(path)] == [odd / "config.toml"], "a path of another folder"
    assert metrics(odd)[-1]["step"] == 2, "the run did not go on"
    run(words[:-4] + ["--output", str(FOLDER / "wins"), "--seed", "7", "--stop-after-steps", "1"], expect=75)
    assert "seed = 7" in strip(FOLDER / "wins" / "config.toml")
    words = command(FOLDER / "switched", 0, preset="cifar-resnet18", no_lars_clip=True, check_config=True)
    assert "lars-clip = false" in subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout, "what a preset switches on"


def check_long_warmup():
    """Not refused, because somebody may mean it."""
    errors = run(command(FOLDER / "warms-up", 2, warmup_epochs=2, quiet=True, stop_after_steps=1), expect=75)
    assert errors.count("--warmup-epochs 2 is not shorter than --epochs 2: ") == 1, errors
    assert "warning" not in run(command(FOLDER / "trains", 0, warmup_epochs=1.75, quiet=True, stop_after_steps=1), expect=75)


def check_corrupt_image():
    """A corrupt image at run time is named and stops every rank, or is replaced alike on all."""
    copy = FOLDER / "corrupt.h5"
    copy.write_bytes(DATA.read_bytes())
    with h5py.File(copy, "r+") as file:
        blobs = file["bytes"]
        start, end = (int(value) for value in file["offsets"][7:9])
        blobs[start:end] = 0
    run(command(FOLDER / "stops", 0, stop_after_steps=1), expect=75)
    shown = [refused(command(FOLDER / "stops", 2, data=copy), "sample 7 ")]
    run(command(FOLDER / "stops", 2, data=copy, on_corrupt="replace"))  # which is what the message advises
    shown.append(run([BARLOW, "evaluate", "knn", "--raw-pixels", "--image-size", "12", "--train", copy, "--test", DATA], expect=2))
    assert all(errors.count("sample 7 ") == 1 for errors in shown), shown
    traces = []
    for ranks in (1, 3):
        trace = FOLDER / f"replaced-{ranks}.h5"
        errors = run(command(FOLDER / f"replaced-{ranks}", ranks, data=copy, on_corrupt="replace", epochs=1, trace=trace, trace_steps=4))
        warnings = [line for line in errors.splitlines() if "stands in" in line]
        assert len(warnings) == 1 and warnings[0].count("sample 7 ") == 1, errors
        assert ("[rank 2 of 3, " if ranks == 3 else "warning: \"corrupt.h5\"") in warnings[0], errors  # the last third of a batch
        with h5py.File(trace) as file:
            traces.append([(file[step]["sample_ids"][()].tolist(), file[step]["views"][()].tobytes()) for step in sorted(file)])
    assert traces[0] == traces[1], "ranks replace a corrupt image differently"


def check_trace():
    """A trace takes the place of a trace only, and only when a step is traced."""
    folder, trace, copy = FOLDER / "traced", FOLDER / "trace.h5", FOLDER / "copy.h5"
    copy.write_bytes(DATA.read_bytes())
    run(command(folder, 2, epochs=1, trace=trace))
    content = trace.read_bytes()
    for path in copy, folder / "checkpoint.h5", folder / "config.toml":
        before = path.read_bytes()
        refused(command(FOLDER / "no-trace", 2, data=copy, trace=path), path.name)
        assert path.read_bytes() == before, f"{path} is overwritten"
    refused(command(FOLDER / "no-trace", 2, trace=FOLDER / "nowhere" / "trace.h5"), "No such file or directory")
    run(command(folder, 2, epochs=1, trace=trace))  # nothing is left to do
    assert trace.read_bytes() == content, "a start without a step changes the trace"
    run(command(FOLDER / "traced-again", 1, epochs=1, trace=trace, trace_steps=100, stop_after_steps=2), expect=75)
    with h5py.File(trace) as file:
        assert sorted(file) == ["step_000000", "step_000001"] and "loss" in file["step_000001"].attrs
    assert not list(FOLDER.glob("trace.h5.tmp"))


make_images()
assert BATCH % 7, "a case above needs a batch size that 2 ranks cannot share"
for check in (check_flags, check_other_run, check_configuration_file, check_long_warmup, check_corrupt_image, check_trace):
    check()
    print(f"{check.__name__} passed", flush=True)
