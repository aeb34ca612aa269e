# SPDX-License-Identifier: Apache-2.0
"""What the tests of the job scripts share: a real SLURM of simulated nodes on this machine, jobs on it, and a small run to train.

The importing test is started as TEST.py BIN_FOLDER PROJECT; it skips (77) where there can be no such SLURM.
"""
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

try:
    import h5py
except ImportError as problem:
    print(f"skipped: {problem} (python3-h5py)")
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
SITE = FOLDER / "site.env"
IMAGES = FOLDER / "images.h5"
STEPS_PER_EPOCH, STEPS = 8, 96  # a checkpoint each epoch; some 15 ms a step, so that an interruption still meets the run
NETWORK = ["--architecture", "resnet18", "--stem", "tiny", "--image-size", "24", "--precision", "fp32", "--warmup-epochs", "0",
           "--log-every-steps", "1", "--workers", "1"]
MODEL = [*NETWORK, "--backbone-width", "16", "--projector", "32-48", "--batch-size", "12", "--epochs", str(STEPS // STEPS_PER_EPOCH)]
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")


def output(*command):
    result = subprocess.run([str(word) for word in command], cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


def wait_for(what, condition, log, seconds=150):
    """Until condition() is true, which it gives back."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s\n{said(log)}")


def said(log):
    """A job's log without the lines of steps, which look alike; of a long one the end."""
    return re.sub(r"(?m)^.*step \d+/\d+  epoch .*\n?", "", log.read_text())[-6000:] if log.exists() else "no log"


def write_site(*lines):
    """The site file of the jobs that are submitted from now on."""
    SITE.write_text("\n".join((f"BARLOW_BIN={BINARIES}", "export OMPI_MCA_mpi_yield_when_idle=1", *lines)) + "\n")


def make_images(path=IMAGES, images=STEPS_PER_EPOCH * 12 + 5):
    output(f"{BINARIES}/barlow-data", "synthesize", "--output", path, "--images", images, "--classes", 3, "--size", "40x32")


def pretrain(run, *flags):
    """Arguments of pretrain_cpu.sbatch for the small run."""
    return ["--data", IMAGES, *MODEL, "--output", run, *flags]


def submit(script, shape, arguments, *options):
    """A script of jobs/ from the project's folder, as jobs/README.md says. `shape` is nodes and tasks on each; `options` are sbatch's."""
    log = FOLDER / f"{script}-{time.monotonic_ns()}.log"
    words = ["--nodes", shape[0], "--ntasks-per-node", shape[1], "--time", 10, "--chdir", FOLDER, "--output", log, *options]
    return Job(output("sbatch", "--parsable", *words, f"jobs/{script}.sbatch", *arguments).strip(), log)


@dataclasses.dataclass
class Job:
    number: str  # ARRAY_INDEX of a job of an array
    log: pathlib.Path

    def field(self, name):
        """A field of `scontrol show job`."""
        for word in output("scontrol", "show", "job", self.number).split():
            if word.startswith(name + "="):
                return word.split("=", 1)[1]
        return ""

    def describe(self):
        return output("scontrol", "show", "job", self.number) + said(self.log)

    def end(self, seconds=150):
        """Waits for the end: state and exit code."""
        wait_for(f"end of job {self.number}", lambda: self.field("JobState") in ENDED, self.log, seconds)
        return self.field("JobState"), self.field("ExitCode")

    def complete(self, seconds=150):
        assert self.end(seconds)[0] == "COMPLETED", self.describe()

    def await_requeue(self, restarts=1, seconds=60):
        """Until SLURM has queued the job again and nothing of its last start is left."""
        wait_for(f"requeue of job {self.number}", lambda: self.field("Restarts") == str(restarts), self.log, seconds)
        wait_for("the pending job", lambda: self.field("JobState") == "PENDING", self.log, seconds)
        number = self.field("JobId")
        wait_for("the end of its processes", lambda: not processes(f"slurmstepd: [{number}."), self.log, seconds)
        time.sleep(2)  # a node that is given the job in the second in which it ended it refuses its credential as revoked

    def start_now(self, *changes):
        """SLURM delays what it queues again by two minutes; `changes` are scontrol's."""
        output("scontrol", "update", f"jobid={self.number}", "starttime=now", *changes)


def processes(start):
    """Those whose command line begins so."""
    found = []
    for folder in pathlib.Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").startswith(start):
                    found.append(int(folder.name))
            except OSError:
                pass  # it has ended
    return found


def ranks(run, number):
    """The processes of a run that has so many ranks, in their order."""
    found = {}
    for process in processes(f"{BINARIES}/barlow pretrain "):
        try:
            words = pathlib.Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
            environment = dict(line.split("=", 1) for line in pathlib.Path(f"/proc/{process}/environ").read_text().split("\0") if "=" in line)
        except OSError:
            continue
        if str(run) in words:
            found[int(environment["SLURM_PROCID"])] = process
    assert sorted(found) == list(range(number)), f"ranks {found}, expected {number}"
    return [found[rank] for rank in range(number)]


def parent(process):
    return int(pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def fail_node(number):
    os.kill(int((FOLDER / "slurm" / f"slurmd.n{number}.pid").read_text()), signal.SIGKILL)


def start_node(number):
    output("bash", SANDBOX, "node", FOLDER / "slurm", number)


def steps(run):
    file = run / "metrics.jsonl"
    return file.read_text().count("\n") if file.exists() else 0


def await_steps(run, job, number=STEPS_PER_EPOCH + 1):
    """Until that many steps are done; by default a checkpoint is behind, and most of the run ahead."""
    wait_for(f"step {number}", lambda: steps(run) >= number or job.field("JobState") in ENDED, job.log)
    assert steps(run) >= number, job.describe()


def weights(run):
    """The bytes of every tensor of the checkpoint, and the step after which it was written."""
    with h5py.File(run / "checkpoint.h5") as file:
        found = {"step": int(file.attrs["step"])}
        file.visititems(lambda name, item: found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None)
    return found


def require_same(run, whole, job):
    """Both runs are at their end, with the same bits."""
    first, second = weights(run), weights(whole)
    assert first["step"] == second["step"] == STEPS, f"steps {first['step']} and {second['step']}, not {STEPS}"
    different = [name for name in second if first.get(name) != second[name]]
    assert not different and first.keys() == second.keys(), f"{run.name} and {whole.name} differ in {different}\n{said(job.log)}"


def require_goes_on(job, run, whole):
    """The job that waits to come again does so, goes on, and ends with the same bits."""
    job.start_now()
    job.complete()
    assert "(start 2) on n[1-2]" in said(job.log) and "going on after step" in said(job.log), said(job.log)
    require_same(run, whole, job)


def leave_nothing():
    """Ends what a failed test has left running: jobs, then the processes that know this SLURM's configuration."""
    subprocess.run(["scancel", "--user", "root"], timeout=60, check=False)
    for _ in range(150):
        if not subprocess.run(["squeue", "--noheader"], capture_output=True, timeout=60, check=False).stdout.strip():
            break
        time.sleep(0.1)
    subprocess.run(["bash", SANDBOX, "stop", FOLDER / "slurm"], timeout=120, check=False)
    mark = f"SLURM_CONF={os.environ['SLURM_CONF']}\0".encode()
    for folder in pathlib.Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and int(folder.name) != os.getpid() and mark in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
        except OSError:
            pass  # it has ended


def run_checks(nodes, *checks):
    """The checks, one after the other, on a SLURM of so many nodes with four processors each."""
    os.environ.update(SLURM_CONF=str(FOLDER / "slurm" / "slurm.conf"), BARLOW_SITE=str(SITE), OMP_NUM_THREADS="1")
    os.environ.pop("BARLOW_HOME", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    write_site()
    try:
        output("bash", SANDBOX, "start", FOLDER / "slurm", nodes)
        for check in checks:
            start = time.monotonic()
            check()
            print(f"{check.__name__}: {time.monotonic() - start:.1f} s", flush=True)
    finally:
        leave_nothing()
        shutil.rmtree(FOLDER, ignore_errors=True)
