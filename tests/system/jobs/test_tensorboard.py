# SPDX-License-Identifier: Apache-2.0
"""jobs/tensorboard.py against TensorBoard's own reader: every number of metrics.jsonl at its step, half a line left out."""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import tensorboardX  # noqa: F401
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError as error:
    print(f"skipped: {error} (pip install tensorboardX tensorboard)")
    sys.exit(77)

SCRIPT = pathlib.Path(sys.argv[1]) / "jobs/tensorboard.py"
with tempfile.TemporaryDirectory() as name:
    run, logdir = pathlib.Path(name) / "mine" / "run", pathlib.Path(name) / "logs"
    run.mkdir(parents=True)
    lines = [{"step": step, "epoch": step / 4, "loss": 100.5 / step, "learning_rate_weights": 0.25 * step, "time": f"2026-01-02T03:04:{step:02}Z"} for step in (1, 2, 5)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 6, "lo', encoding="utf-8")
    for _ in range(2):  # the second time does not double the lines
        done = subprocess.run([sys.executable, SCRIPT, run, "--logdir", logdir], capture_output=True, text=True, check=True)
        assert "cannot be read" in done.stderr, done.stderr
    events = EventAccumulator(str(logdir / "mine" / "run")).Reload()
    assert set(events.Tags()["scalars"]) == {"epoch", "loss", "learning_rate_weights"}, events.Tags()
    for key in "epoch", "loss", "learning_rate_weights":
        found = events.Scalars(key)
        assert [event.step for event in found] == [1, 2, 5], found
        assert all(abs(event.value - line[key]) < 1e-6 * line[key] for event, line in zip(found, lines)), found
    assert events.Scalars("loss")[1].wall_time - events.Scalars("loss")[0].wall_time == 1
    others = [pathlib.Path(name) / folder / "run" for folder in ("yours", "other/yours")]
    for other in others:
        other.mkdir(parents=True)
        (other / "metrics.jsonl").write_text(json.dumps(lines[0]) + "\n", encoding="utf-8")
    subprocess.run([sys.executable, SCRIPT, run, others[0], "--logdir", logdir], capture_output=True, check=True)
    counts = [len(EventAccumulator(str(logdir / folder / "run")).Reload().Scalars("loss")) for folder in ("mine", "yours")]
    assert counts == [3, 1], "two runs of one name"
    same = subprocess.run([sys.executable, SCRIPT, *others, "--logdir", logdir], capture_output=True, text=True, check=False)
    assert same.returncode == 1 and all(str(other) in same.stderr for other in others), same
    missing = subprocess.run([sys.executable, SCRIPT, logdir, "--logdir", logdir], capture_output=True, text=True, check=False)
    assert missing.returncode == 1 and "metrics.jsonl is missing" in missing.stderr, missing
print("TensorBoard reads what was logged")
