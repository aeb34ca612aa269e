# SPDX-License-Identifier: Apache-2.0
"""Every job script with stand-ins for SLURM's programs: what it starts is accepted by --check-config, and what it asks of SLURM is right.

test_command_lines.py BIN_FOLDER PROJECT
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BINARIES, PROJECT = sys.argv[1:3]
STUBS = pathlib.Path(__file__).parent / "stubs"
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="barlow-jobs-"))
LOG = FOLDER / "log"
RUN = FOLDER / "a run"
JOB = {"SLURM_JOB_ID": "17", "SLURM_JOB_NUM_NODES": "2", "SLURM_NTASKS": "4", "SLURM_TASKS_PER_NODE": "2(x2)", "SLURM_CPUS_PER_TASK": "8",
       "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_NAME": "some_name", "SLURM_JOB_PARTITION": "main", "SLURM_SUBMIT_DIR": PROJECT}
PRETRAIN = ["--data", "d.h5", "--output", "run", "--epochs", "3"]
NETWORK = ["--architecture", "resnet18", "--stem", "tiny", "--image-size", "24", "--projector", "16-16", "--precision", "fp32", "--workers", "1"]
TINY = [*NETWORK, "--warmup-epochs", "0", "--quiet"]


def submit(script, *arguments, expect=0, **environment):
    """Runs a script as SLURM would; what it said and the stand-ins' log."""
    LOG.write_text("")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "BARLOW", "STUB"))}
    clean |= {**JOB, "BARLOW_BIN": BINARIES, "STUB_LOG": str(LOG), "PATH": f"{STUBS}:{clean['PATH']}", **environment}
    result = subprocess.run(["bash", f"{PROJECT}/jobs/{script}.sbatch", *map(str, arguments)], cwd=FOLDER, env=clean, capture_output=True, text=True,
                            timeout=120, check=False)
    assert result.returncode == expect, f"{script} returned {result.returncode}, not {expect}\n{result.stdout}{result.stderr}{LOG.read_text()}"
    return result.stdout + result.stderr, LOG.read_text()


def check_pretrain():
    for script, extra in (("pretrain_cpu", {}), ("pretrain_gpu", {"SLURM_GPUS_ON_NODE": "2"})):
        text = pathlib.Path(PROJECT, "jobs", f"{script}.sbatch").read_text()
        for option in "--signal=USR1@300", "--requeue", "--open-mode=append":
            assert f"#SBATCH {option}\n" in text, f"{script}: no {option}"
        said, log = submit(script, *PRETRAIN, **extra)
        assert "epochs = 3" in said and "--mpi=pmix --kill-on-bad-exit=0 --wait=60 --cpu-bind=cores" in log, said + log
        assert "fence ring\n" in log and "fence tree\n" in submit(script, *PRETRAIN, BARLOW_SITE=site("SLURM_PMIX_FENCE=tree"), **extra)[1], log
        assert "numbers C\n" in submit(script, *PRETRAIN, LC_ALL="de_DE.UTF-8", LC_NUMERIC="de_DE.UTF-8", **extra)[1], "where 0.5 is 0,5"
        assert "n[1-2]" in said and "scontrol" not in log and "sbatch" not in log, said + log
        assert "scontrol requeue 17" in submit(script, *PRETRAIN, expect=75, STUB_CODE="75", **extra)[1]
        for code in 1, 2, 137:
            assert "scontrol" not in submit(script, *PRETRAIN, expect=code, STUB_CODE=str(code), **extra)[1], f"{script} comes again after {code}"
        for code in 1, 2:  # the same would come again, with or without a checkpoint in between
            assert "scontrol" not in submit(script, *PRETRAIN, expect=code, STUB_CODE=str(code), STUB_SAVES=str(RUN), **extra)[1], f"{script}, {code}"
        check_killed(script, extra)
        chained = submit(script, *PRETRAIN, expect=75, STUB_CODE="75", BARLOW_SITE=site("BARLOW_AGAIN=chain"), **extra)[1]
        for words in ("sbatch --dependency=afterany:17 ", "--nodes=2", "--ntasks=4", "--time=12:00:00", "--cpus-per-task=8", "--partition=main",
                      f"jobs/{script}.sbatch --data d.h5"):
            assert words in chained, f"{words}: {chained}"
        for word in "--ntasks-per-node", "--mem", "--constraint", "--reservation", "null":
            assert word not in chained, chained
        asked = {"SLURM_NTASKS_PER_NODE": "2", "SLURM_MEM_PER_NODE": "4000", "SLURM_JOB_QOS": "long", "SLURM_NTASKS": "", "STUB_FEATURES": "zen5|zen4",
                 "STUB_RESERVATION": "course"}
        chained = submit(script, *PRETRAIN, expect=75, STUB_CODE="75", BARLOW_SITE=site("BARLOW_AGAIN=chain"), **asked, **extra)[1]
        assert "--ntasks-per-node=2" in chained and "--mem=4000" in chained and "--qos=long" in chained and "--ntasks=" not in chained, chained
        assert "--constraint=zen5|zen4 --reservation=course " in chained, chained
        rest = site("BARLOW_AGAIN=chain\nbarlow_sbatch=(--signal=USR1@60 --gpus-per-node=h100:4)")
        chained = submit(script, *PRETRAIN, expect=75, STUB_CODE="75", BARLOW_SITE=rest, **extra)[1]
        assert f"--partition=main --signal=USR1@60 --gpus-per-node=h100:4 {PROJECT}/jobs/" in chained, chained
        quiet = submit(script, *PRETRAIN, expect=75, STUB_CODE="75", BARLOW_SITE=site("BARLOW_AGAIN=no"), **extra)[1]
        assert "scontrol" not in quiet and "sbatch" not in quiet, quiet
        assert "--no-such-flag" in submit(script, *PRETRAIN, "--no-such-flag", expect=2, **extra)[0]
    assert "pretrain --device cuda --data" in log_of_gpu()
    assert "2 tasks on a node with 4 GPUs" in submit("pretrain_gpu", *PRETRAIN, expect=2, SLURM_GPUS_ON_NODE="4")[0]
    scripts = "".join(path.read_text() for folder in ("jobs", "jobs/lib") for path in pathlib.Path(PROJECT, folder).iterdir() if path.suffix in (".sh", ".sbatch"))
    assert "NCCL_" not in scripts and "UCX_" not in scripts, "a network's variables are a site's"


def check_killed(script, extra):
    """A task was killed: the job comes again where this start has written a checkpoint, however the run's folder was named, and unless somebody
    has asked the run to stop."""
    config = FOLDER / "run.toml"
    config.write_text(f"""epochs = 3\n  output = "{RUN}" # not "another run", or 'yet another'\n""")
    for words in (["--output", RUN], [f"--output={RUN}"], ["--output", "other", "--output", RUN], ["--config", config], [f"--config={config}"]):
        shutil.rmtree(RUN, ignore_errors=True)
        for code, saves, expect in ((139, "", 139), (137, RUN, 75), (137, "", 137), (134, RUN, 75)):
            said, log = submit(script, "--data", "d.h5", *words, expect=expect, STUB_CODE=str(code), STUB_SAVES=str(saves), **extra)
            assert ("scontrol requeue 17" in log) == (expect == 75) and str(RUN) in said, f"{words}, {code}: {said}{log}"
            assert log.count("srun ") == 1, f"{words}, {code}: started again\n{said}{log}"
        (RUN / "stop").touch()
        said, log = submit(script, "--data", "d.h5", *words, expect=75, STUB_CODE="75", **extra)
        assert "scontrol" not in log and "submit it again to go on" in said, f"{words}, barlow stop: {said}{log}"
        (RUN / "stop").unlink()
    (RUN / "checkpoint.h5").replace(RUN / "checkpoint.previous.h5")  # as one that is killed between the two renames leaves it
    submit(script, "--data", "d.h5", "--output", RUN, expect=137, STUB_CODE="137", **extra)


def log_of_gpu():
    return submit("pretrain_gpu", *PRETRAIN, SLURM_GPUS_ON_NODE="2")[1]


def site(text):
    path = FOLDER / "site.env"
    path.write_text(text + "\n")
    return str(path)


def check_sites():
    log = submit("pretrain_cpu", *PRETRAIN, BARLOW_SITE=site("barlow_wrap=(container)"))[1]
    assert f"container {BINARIES}/barlow pretrain" in log, log
    for file in pathlib.Path(PROJECT, "jobs/site").glob("*.env"):
        submit("pretrain_cpu", *PRETRAIN, expect=3 if file.stem == "container" else 0, BARLOW_SITE=str(file), SCRATCH="/scratch", HOME=str(FOLDER))
        assert "apptainer exec --bind" in LOG.read_text() or file.stem != "container", LOG.read_text()
    for text in "false\nexport LATER=1", '[ -n "" ] && export LATER=1':
        assert f"BARLOW_SITE={site(text)} failed" in submit("pretrain_cpu", *PRETRAIN, expect=1, BARLOW_SITE=site(text))[0]


def check_programs():
    """The programs of either build; what a script asks for, or a site names, and nothing else."""
    home, build = FOLDER / "home", FOLDER / "home" / "build"
    build.mkdir(parents=True)
    (home / "jobs").symlink_to(f"{PROJECT}/jobs")
    evaluation = ["--train", "a.h5", "--test", "b.h5", "--checkpoint", "run"]
    here = {"BARLOW_HOME": str(home), "BARLOW_BIN": ""}
    assert f"no {build}/cpu-release/bin/barlow; build it first" in submit("evaluate", *evaluation, expect=2, **here)[0]
    for preset in "cuda-release", "cpu-release":
        (build / preset).mkdir()
        (build / preset / "bin").symlink_to(BINARIES)
        assert f"{build}/{preset}/bin/barlow evaluate" in submit("evaluate", *evaluation, **here)[1]
    assert f"{build}/cuda-release/bin/barlow pretrain" in submit("pretrain_gpu", *PRETRAIN, SLURM_GPUS_ON_NODE="2", **here)[1]
    submit("evaluate", *evaluation, expect=2, **{**here, "BARLOW_BIN": str(home / "elsewhere")})


def check_others():
    assert "barlow-data pack" in submit("pack_dataset", "folder", "--output", "d.h5")[1]
    assert "evaluate all --train" in submit("evaluate", "--train", "a.h5", "--test", "b.h5", "--checkpoint", "run")[1]
    submit("evaluate", "--train", "a.h5", expect=2)


def check_ablation():
    grid = ["--train", "a.h5", "--test", "b.h5", "--output", FOLDER / "grid", "--lambd", "0.001,0.02", "--width", "16,32,64", "--layers", "2", "--batch-size", "12"]
    (FOLDER / "grid").mkdir()
    done = FOLDER / "grid" / "lambd0.02-width64-layers2-batch12"
    done.mkdir()
    (done / "metrics.jsonl").write_text('{"step":1,"loss":99.5,"x":1}\n{"step":2,"loss":12.25,"x":1}\n')
    (done / "evaluation.json").write_text(json.dumps([{"protocol": "knn", "top1": 61.5}, {"protocol": "linear", "top1": 70.25}], indent=2))
    seen = set()
    for index in range(6):
        log = submit("ablation", *grid, "--", "--epochs", "4", SLURM_ARRAY_TASK_ID=str(index), SLURM_ARRAY_TASK_COUNT="6")[1]
        words = log.splitlines()[0].split()
        width = words[words.index("--projector") + 1].split("-")
        assert len(width) == 2 and width[0] == width[1] and "evaluate all" in log and words[words.index("--epochs") + 1] == "4", log
        seen.add((words[words.index("--lambd") + 1], width[0]))
    assert len(seen) == 6, seen
    rows = (FOLDER / "grid" / "ablation.md").read_text().splitlines()
    assert len(rows) == 8 and "| 0.02 | 64 | 2 | 12 | 12.25 | 61.50 | 70.25 |" in rows and sum("not yet" in row for row in rows) == 5, rows
    assert "--array 0-5" in submit("ablation", *grid, expect=2, SLURM_ARRAY_TASK_ID="0", SLURM_ARRAY_TASK_COUNT="4")[0]
    assert "--array 0-5" in submit("ablation", *grid, expect=2, SLURM_ARRAY_TASK_ID="6", SLURM_ARRAY_TASK_COUNT="1")[0]
    assert "unknown argument" in submit("ablation", *grid, "--epochs", "4", expect=2, SLURM_ARRAY_TASK_ID="0")[0]
    for layers in "0", "-1", "2.5", "some", "2,,3":
        assert "numbers from 1" in submit("ablation", *grid, "--layers", layers, expect=2, SLURM_ARRAY_TASK_ID="0")[0]
    second = {"SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "1"}
    log = submit("ablation", *grid, expect=75, STUB_CODE="75", SLURM_ARRAY_TASK_COUNT="6", **second)[1]
    assert "scontrol requeue 17_1\n" in log and "evaluate" not in log, log  # 17 would be the whole array, points that are done included
    trained = {"STUB_SAVES": str(FOLDER / "grid" / "lambd0.02-width16-layers2-batch12"), "SLURM_ARRAY_TASK_COUNT": "6", **second}
    assert "scontrol requeue 17_1\n" in submit("ablation", *grid, expect=75, STUB_EVALUATION="138", **trained)[1], "SLURM's signal in an evaluation"
    assert "scontrol" not in submit("ablation", *grid, expect=1, STUB_EVALUATION="1", **trained)[1]
    log = submit("ablation", *grid, expect=138, STUB_EVALUATION="138", SLURM_ARRAY_TASK_COUNT="6", **second)[1]
    assert "scontrol" not in log, log  # the evaluation had the whole job
    log = submit("ablation", *grid, expect=75, STUB_CODE="75", SLURM_ARRAY_TASK_COUNT="1", BARLOW_SITE=site("BARLOW_AGAIN=chain"), **second)[1]
    assert "--dependency=afterany:17_1 " in log and "--array=1 " in log, log


def check_scaling():
    arguments = ["--ranks", "1", "--batch-per-rank", "4", "--batch", "4", "--steps", "2", "--size", "40x32", "--images", "20", "--output", FOLDER / "scaling"]
    container = FOLDER / "some images" / "container"
    container.parent.mkdir()
    container.write_text('#!/bin/sh\nexec "$@"\n')
    container.chmod(0o755)
    mine = [FOLDER / "scaling" / name for name in ("run/checkpoint.h5", "images.h5")]  # of a quickstart in the same folder
    for file in mine:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("mine")
    said, log = submit("scaling", *arguments, "--", *TINY, STUB_RUNS="1", BARLOW_SITE=site(f'barlow_wrap=("{container}")'))
    assert all(file.read_text() == "mine" for file in mine) and not (FOLDER / "scaling" / "scaling-run").exists()
    assert f"{container} {BINARIES}/barlow pretrain" in log, log
    assert "--nodes=1 --ntasks=1" in log and log.count("srun") == 2, log
    lines = [json.loads(line) for line in (FOLDER / "scaling" / "scaling.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["ranks"], line["efficiency"]) for line in lines] == [("weak", 1, 1), ("strong", 1, 1)], lines
    assert "| weak | 1 |" in said and (FOLDER / "scaling" / "scaling.svg").read_text().startswith("<svg"), said
    plot = FOLDER / "again.svg"
    table = subprocess.run([sys.executable, "-B", f"{PROJECT}/bench/summarize.py", "--plot", plot, FOLDER / "scaling" / "scaling.jsonl"], check=True,
                           capture_output=True, text=True).stdout
    assert "| strong | 1 |" in table and plot.read_text() == (FOLDER / "scaling" / "scaling.svg").read_text()
    assert "give --batch-per-rank" in submit("scaling", "--ranks", "1", expect=2)[0]
    assert "--steps: at least 1" in submit("scaling", *arguments, "--steps", "0", expect=2)[0]
    (FOLDER / "scaling" / "scaling.svg").unlink()
    said = submit("scaling", "--ranks", "1,2", *arguments[2:], "--", *TINY, expect=1, STUB_RUNS="1")[0]  # one rank is all that this srun starts
    assert "started 2 ranks, but 1 met" in said and "| weak | 1 |" in said and "| strong |" not in said, said
    assert (FOLDER / "scaling" / "scaling.svg").exists(), "the picture of what was measured"


def check_quickstart_schedule():
    """As many epochs as fit, at most what the recipe has; those of a run that is gone on with stay."""
    images, run = FOLDER / "pace.h5", FOLDER / "quickstart"
    subprocess.run([f"{BINARIES}/barlow-data", "synthesize", "--output", images, "--images", "40", "--classes", "2", "--size", "40x32"], check=True,
                   capture_output=True)
    recipe = " ".join([*NETWORK, "--backbone-width", "8", "--batch-size", "4"])

    def schedule(seconds):
        script = f"""set -euo pipefail
            source jobs/lib/recipe.sh
            pack={BINARIES}/barlow-data barlow={BINARIES}/barlow launch=() recipe=({recipe}) most_epochs=2.4 training_seconds={seconds}
            choose_epochs {images} {run}
            echo "${{schedule[@]}}" """
        result = subprocess.run(["bash", "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        words = result.stdout.splitlines()[-1].split()
        assert words[::2] == ["--epochs", "--warmup-epochs"], result.stdout
        return float(words[1]), float(words[3])

    assert schedule(1e9) == (2.4, 0.1)
    epochs, warmup = schedule(0.001)
    assert 0 < epochs < 2.4 and abs(warmup * 24 / epochs - 1) < 0.01, (epochs, warmup)
    assert not list(FOLDER.glob("quickstart.pace*")), "what the pace was seen by is left"
    run.mkdir()
    (run / "config.toml").write_text("epochs = 1.32\nwarmup-epochs = 0.05\n")
    assert schedule(1e9) == (1.32, 0.05)


def check_quickstart_ranks():
    """A batch that the ranks can share, whatever their number."""
    script = "source jobs/lib/recipe.sh; for ranks in 1 2 3; do sample_recipe $ranks; echo ${recipe[*]}; done"
    lines = subprocess.run(["bash", "-euc", script], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split(" --batch-size ")[1] for line in lines] == ["256", "256", "255"], lines


try:
    for check in check_pretrain, check_sites, check_programs, check_others, check_ablation, check_scaling, check_quickstart_schedule, check_quickstart_ranks:
        check()
        print(check.__name__, flush=True)
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
