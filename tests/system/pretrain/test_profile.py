# SPDX-License-Identifier: Apache-2.0
"""--profile-steps: the phases add up to the time of the steps, by two clocks; the run is the same with and without it."""
import json
import os

from program import FOLDER, command, make_images, metrics, require_same_bits, run, tensors

os.environ["OMP_NUM_THREADS"] = "1"  # threads that wait for a core would be most of a step
STEPS, WARMUP = 5, 2
# Steps of some ten milliseconds: what is measured must be larger than what measures it.
FLAGS = {"backbone_width": 64, "image_size": 32, "batch_size": 24, "profile_steps": STEPS, "epochs": 1, "checkpoint_every_minutes": 0}
CLAIMED = 0.95  # of a step's time, by phases that have a name


def read(path):
    return json.loads(path.read_text())


def check_phases(name, ranks, profile):
    assert (profile["world_size"], profile["steps"], profile["first_step"]) == (ranks, STEPS, WARMUP + 1), profile
    assert len(profile["ranks"]) == ranks
    for rank in profile["ranks"]:
        seconds = {phase: entry["seconds"] for phase, entry in rank["phases"].items()}
        claimed = sum(seconds.values()) - seconds["other"]
        assert CLAIMED * rank["wall_s"] <= claimed <= rank["wall_s"] * 1.001, f"{name}: {claimed} of {rank['wall_s']} s: {seconds}"
        for phase in "forward", "backward", "loss", "lars", "upload":
            assert seconds[phase] > 0, f"{name}: no time in {phase}"
        for phase in "batch_norm_exchange", "embedding_gather", "gradient_reduction":
            assert (rank["phases"][phase]["bytes"] > 0) == (ranks > 1), f"{name}: {phase} {rank['phases'][phase]}"


def check_trace(folder, ranks):
    for number in range(ranks):
        events = read(folder / f"profile-rank{number:04}.json")["traceEvents"]
        bars = [event for event in events if event["ph"] == "X" and event["tid"] == 0]
        steps = [event for event in bars if event["name"].startswith("step ")]
        assert [event["name"] for event in steps] == [f"step {WARMUP + 1 + i}" for i in range(STEPS)]
        outer = sum(event["dur"] for event in bars if event["name"] in ("input_wait", "agreement", "upload", "forward", "loss", "backward", "lars",
                                                                       "checkpoint"))
        assert outer >= CLAIMED * sum(event["dur"] for event in steps), f"rank {number}: the trace has gaps"
        for event in bars:
            assert any(step["ts"] - 1 <= event["ts"] and event["ts"] + event["dur"] <= step["ts"] + step["dur"] + 1 for step in steps), event
    assert not (folder / f"profile-rank{ranks:04}.json").exists()


def check_against_metrics(folder, profile):
    """The lines of metrics.jsonl have a clock of their own."""
    seconds = [FLAGS["batch_size"] / line["images_per_second"] for line in metrics(folder) if WARMUP < line["step"] <= WARMUP + STEPS]
    assert len(seconds) == STEPS
    assert abs(sum(seconds) / STEPS / profile["seconds_per_step"] - 1) < 0.05, (seconds, profile["seconds_per_step"])


def gradient_bytes(profile):
    return {rank["phases"]["gradient_reduction"]["bytes"] // STEPS for rank in profile["ranks"]}


make_images(images=200)
sizes = set()
for ranks in 1, 2:
    folder = FOLDER / f"profiled-{ranks}"
    errors = run(command(folder, ranks, **FLAGS))
    assert "gradient_reduction" in errors and "overlapped" in errors, errors
    profile = read(folder / "profile.json")
    check_phases(folder.name, ranks, profile)
    check_trace(folder, ranks)
    check_against_metrics(folder, profile)
    print(f"{ranks} ranks: {profile['seconds_per_step']:.4f} s per step, other "
          f"{100 * profile['phases']['other']['seconds'] / profile['seconds_per_step']:.2f} %", flush=True)
    plain = FOLDER / f"plain-{ranks}"
    run(command(plain, ranks, **{**FLAGS, "profile_steps": None}))
    assert not list(plain.glob("profile*")), "a profile that nobody asked for"
    first, second = tensors(folder / "checkpoint.h5"), tensors(plain / "checkpoint.h5")
    require_same_bits(first, second, f"{ranks} ranks, profiled or not")

parameters = sum(value.size for name, value in first.items() if name.startswith("momentum/"))
padded = gradient_bytes(profile)  # the flat buffer aligns its tensors
assert len(padded) == 1 and 4 * parameters <= padded.pop() <= 4.01 * parameters, (gradient_bytes(profile), 4 * parameters)

# A run that is stopped earlier tells what it has; one within the warm-up says so.
errors = run(command(FOLDER / "early", 2, **{**FLAGS, "stop_after_steps": 4}), expect=75)
assert read(FOLDER / "early" / "profile.json")["steps"] == 2, errors
run(command(FOLDER / "early", 1, **FLAGS))
assert [path.name for path in (FOLDER / "early").glob("profile-rank*")] == ["profile-rank0000.json"], "a trace of the start before, on more ranks"
errors = run(command(FOLDER / "warm", 2, **{**FLAGS, "stop_after_steps": 2}), expect=75)
assert "warm-up" in errors and not (FOLDER / "warm" / "profile.json").exists(), errors
# A folder that refuses the files costs the profile, not the run.
(FOLDER / "blocked" / "profile-rank0001.json").mkdir(parents=True)
errors = run(command(FOLDER / "blocked", 2, **FLAGS))
assert "warning: profile: cannot write" in errors, errors
