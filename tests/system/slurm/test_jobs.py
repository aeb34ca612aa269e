# SPDX-License-Identifier: Apache-2.0
"""The job scripts on a real SLURM of two simulated nodes: pack, pre-train, be told to stop, be queued again, finish, evaluate.

test_jobs.py BIN_FOLDER PROJECT
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

try:
    import h5py
except ImportError as error:
    print(f"skipped: {error} (python3-h5py)")
    sys.exit(77)
if shutil.which("slurmctld") is None or shutil.which("slurmd") is None:
    print("skipped: no slurmctld or slurmd (slurm-wlm)")
    sys.exit(77)
if os.geteuid() != 0:
    print("skipped: a SLURM of one's own needs root")
    sys.exit(77)

BINARIES, PROJECT = sys.argv[1:3]
SANDBOX = pathlib.Path(__file__).parent / "sandbox.sh"
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="barlow-slurm-"))
os.environ.update(SLURM_CONF=str(FOLDER / "slurm" / "slurm.conf"), BARLOW_HOME=PROJECT, BARLOW_SITE=str(FOLDER / "site.env"), OMP_NUM_THREADS="1")
MODEL = ["--architecture", "resnet18", "--stem", "tiny", "--image-size", "24", "--projector", "32-48", "--batch-size", "12", "--precision", "fp32",
         "--epochs", "25", "--warmup-epochs", "0", "--log-every-steps", "1", "--workers", "1"]


def output(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


def submit(script, tasks, *arguments):
    log = FOLDER / f"{script}-{time.monotonic_ns()}.log"
    job = output("sbatch", "--parsable", "--nodes", 2, "--ntasks-per-node", tasks, "--time", 10, "--chdir", FOLDER, "--output", log,
                 f"{PROJECT}/jobs/{script}.sbatch", *arguments).strip()
    return job, log


def field(job, name):
    for word in output("scontrol", "show", "job", job).split():
        if word.startswith(name + "="):
            return word.split("=", 1)[1]
    return ""


def wait_for(what, condition, log, seconds=150):
    for _ in range(5 * seconds):
        if condition():
            return
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s\n{log.read_text() if log.exists() else 'no log'}")


def wait_for_end(job, log):
    ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
    wait_for("end of the job", lambda: field(job, "JobState") in ended, log)
    return field(job, "JobState"), field(job, "ExitCode")


def steps(run):
    file = run / "metrics.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


def weights(run):
    with h5py.File(run / "checkpoint.h5") as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None)
    return found


def check_pack():
    images = FOLDER / "images"
    output(f"{BINARIES}/barlow-data", "synthesize", "--output", FOLDER / "source.h5", "--images", 53, "--classes", 3, "--size", "40x32")
    for index in range(53):
        folder = images / f"class{index % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        output(f"{BINARIES}/barlow-data", "extract", FOLDER / "source.h5", "--index", index, "--output", folder / f"{index}.jpg")
    job, log = submit("pack_dataset", 2, images, "--output", FOLDER / "images.h5")
    assert wait_for_end(job, log)[0] == "COMPLETED", output("scontrol", "show", "job", job) + log.read_text()
    output(f"{BINARIES}/barlow-data", "verify", FOLDER / "images.h5")


def check_requeue():
    """The signal that SLURM sends before a time limit: checkpoint, requeue, and the same weights as without it."""
    data = ["--data", FOLDER / "images.h5", *MODEL]
    whole, job_log = FOLDER / "whole", None
    job, job_log = submit("pretrain_cpu", 2, *data, "--output", whole)
    assert wait_for_end(job, job_log)[0] == "COMPLETED", job_log.read_text()
    stopped = FOLDER / "stopped"
    job, log = submit("pretrain_cpu", 2, *data, "--output", stopped)
    wait_for("first steps", lambda: steps(stopped) >= 5, log)
    output("scancel", "--signal=USR1", job)
    wait_for("requeue", lambda: field(job, "Restarts") == "1", log)
    assert 5 <= steps(stopped) < 100, f"{steps(stopped)} steps when it was stopped"
    time.sleep(4)  # the job's last processes let go of its sockets; SLURM itself delays what it queues again by two minutes
    output("scontrol", "update", f"jobid={job}", "starttime=now")
    assert wait_for_end(job, log)[0] == "COMPLETED", output("scontrol", "show", "job", job) + log.read_text()
    assert "going on after step" in log.read_text(), log.read_text()
    assert weights(whole) == weights(stopped), "the requeued run has other weights"


def check_refusal_and_death():
    job, log = submit("pretrain_cpu", 2, "--data", FOLDER / "missing.h5", *MODEL, "--output", FOLDER / "refused")
    state, code = wait_for_end(job, log)
    assert state == "FAILED" and code.startswith("2:") and "missing.h5" in log.read_text(), f"{state} {code}\n{log.read_text()}"
    killed = FOLDER / "killed"
    job, log = submit("pretrain_cpu", 2, "--data", FOLDER / "images.h5", *MODEL, "--output", killed)
    wait_for("first steps", lambda: steps(killed) >= 5, log)
    ranks = output("pgrep", "-f", f"barlow pretrain .*{killed}").split()
    ranks = [pid for pid in ranks if pathlib.Path(f"/proc/{pid}/exe").resolve().name == "barlow"]
    assert len(ranks) == 4, ranks
    output("kill", "-9", ranks[-1])
    assert wait_for_end(job, log)[0] == "FAILED", log.read_text()
    assert field(job, "Restarts") == "0", "a job that crashed was queued again"


def check_evaluate():
    job, log = submit("evaluate", 1, "--train", FOLDER / "images.h5", "--test", FOLDER / "images.h5", "--checkpoint", FOLDER / "stopped",
                      "--json", FOLDER / "result.json", "--k", 3, "--epochs", 2, "--batch-size", 12)
    assert wait_for_end(job, log)[0] == "COMPLETED", output("scontrol", "show", "job", job) + log.read_text()
    assert "top1" in (FOLDER / "result.json").read_text()


def main():
    (FOLDER / "site.env").write_text(f"BARLOW_BIN={BINARIES}\nexport OMPI_MCA_mpi_yield_when_idle=1\n")
    try:
        output("bash", SANDBOX, "start", FOLDER / "slurm", 2)
        for check in check_pack, check_requeue, check_refusal_and_death, check_evaluate:
            start = time.monotonic()
            check()
            print(f"{check.__name__}: {time.monotonic() - start:.1f} s", flush=True)
    finally:
        output("bash", SANDBOX, "stop", FOLDER / "slurm")
        shutil.rmtree(FOLDER, ignore_errors=True)


main()
