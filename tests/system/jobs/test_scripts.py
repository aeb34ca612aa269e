# SPDX-License-Identifier: Apache-2.0
"""tests/run.sh, jobs/quickstart.sh and bench/on-gpu.sh in a project of stand-ins: what they make of what is there and what is missing.

test_scripts.py PROJECT
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROJECT = pathlib.Path(sys.argv[1])
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="barlow-scripts-"))
PROGRAMS = FOLDER / "programs"  # all of PATH, so that nothing of this machine is found
LOG = FOLDER / "log"
SYSTEM = ("awk", "basename", "bash", "cat", "dirname", "grep", "head", "mkdir", "mktemp", "nproc", "realpath", "rm", "sed", "tee", "timeout", "tr")


def write_program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)


def make_project():
    for name in ("tests/run.sh", "jobs/quickstart.sh", "jobs/fashion_mnist.toml", "jobs/lib/packages.sh", "jobs/lib/recipe.sh"):
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, FOLDER / name)
    PROGRAMS.mkdir()
    for name in SYSTEM:
        (PROGRAMS / name).symlink_to(shutil.which(name))


def run(script, *arguments, expect=0, **environment):
    """A script of the project of stand-ins; what it said and their log."""
    LOG.write_text("")
    result = subprocess.run([PROGRAMS / "bash", FOLDER / script, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False,
                            env={"PATH": str(PROGRAMS), "LOG": str(LOG), **environment})
    assert result.returncode == expect, f"{script} returned {result.returncode}, not {expect}\n{result.stdout}{result.stderr}{LOG.read_text()}"
    return result.stdout + result.stderr, LOG.read_text()


def check_count():
    """Libraries that the CUDA flavour lacks are a test that is skipped, and other errors of its configuration are errors."""
    write_program(PROGRAMS / "nvcc", "")
    write_program(FOLDER / "jobs/lib/cudnn_frontend.sh", "")
    write_program(PROGRAMS / "ctest", """echo '<testsuite tests="5" failures="0" disabled="0" skipped="1">' >"${@: -1}" """)
    write_program(FOLDER / "bench/on-gpu.sh", "")
    (FOLDER / "build").mkdir()
    write_program(PROGRAMS / "cmake", """echo "cmake $*" >>"$LOG"
        if [ "$2" = cuda-release ]; then
          echo "-- $CUDA"
          [ "$CUDA" != error ]
        fi""")
    off = "CUDA flavour: off; not found: CUDNN (set CUDNN_ROOT), NCCL (set NCCL_ROOT)"
    said, log = run("tests/run.sh", "--no-install", CUDA=off)
    assert off in said and said.endswith("8 passed, 0 failed, 4 skipped\n") and "--build --preset cuda-release" not in log, said + log
    said, log = run("tests/run.sh", "--no-install", CUDA="CUDA flavour: on")
    assert said.endswith("13 passed, 0 failed, 4 skipped\n") and "--build --preset cuda-release" in log, said + log
    said, log = run("tests/run.sh", "--no-install", CUDA="error", expect=1)
    assert "passed" not in said and "--build --preset cuda-release" not in log, said + log


def check_presets():
    """What a script sets for its own build, each preset sets again: CMake's cache would keep it for the next."""
    presets = json.loads((PROJECT / "CMakePresets.json").read_text())["configurePresets"]
    base = next(preset for preset in presets if preset["name"] == "base")
    options = set(re.findall(r"-D(BARLOW_BUILD_\w+)=OFF", (PROJECT / "jobs/quickstart.sh").read_text()))
    assert options and all(base["cacheVariables"][option] == "ON" for option in options), options


def check_quickstart():
    images = FOLDER / "images"
    for part in "train", "test":
        (images / part).mkdir(parents=True)
    programs = FOLDER / "build/cpu-release/bin"
    write_program(PROGRAMS / "mpirun", """echo "mpirun $*" >>"$LOG"
        while [[ $1 == -* ]]; do case $1 in -n | -np | --bind-to) shift 2 ;; *) shift ;; esac; done
        exec "$@" """)
    write_program(programs / "barlow-data", """case $1 in
          pack) while [ "$1" != --output ]; do shift; done; echo packed >"$2" ;;
          info) echo '{"images": 100, "width": [28, 28]}' ;;
        esac""")
    write_program(programs / "barlow", """while [ $# -gt 0 ]; do
          case $1 in
            --output) mkdir -p "$2"; echo 'epochs = 1' >"$2/config.toml"; echo '{"images_per_second":10}' >"$2/metrics.jsonl" ;;
            --json) printf '"top1": %s\n' 50 60 >"$2" ;;
          esac
          shift
        done""")
    start = "jobs/quickstart.sh", "--no-install", "--data", images, "--output", FOLDER / "mine"
    said, log = run(*start)
    assert "50.00%" in said and "60.00%" in said, said
    lines = [line for line in log.splitlines() if line.startswith("mpirun ")]
    assert len(lines) == 7 and all(line.startswith("mpirun --oversubscribe --bind-to none -np 2 ") for line in lines), log
    run(*start)  # goes on
    other = FOLDER / "other"
    other.mkdir()
    words = "--data", other, "--output", FOLDER / "mine"
    said, log = run("jobs/quickstart.sh", "--no-install", *words, expect=2)
    assert f"made from {images}, not from {other}: give another --output" in said and not log, said + log
    run("jobs/quickstart.sh", "--no-install", "--output", FOLDER / "mine", expect=2)  # Fashion-MNIST


def check_bench():
    """The programs may be anywhere, and results of an earlier run are not taken for this one's."""
    shutil.copy(PROJECT / "bench/on-gpu.sh", FOLDER / "bench/on-gpu.sh")
    for name in "op_parity", "op_gradients", "op_contract", "op_views", "gpu_step", "gpu_replay":
        write_program(FOLDER / f"elsewhere/tests/test_{name}", 'echo "$0" >>"$LOG"; exit 77')
    results = FOLDER / "results"
    results.mkdir()
    for name in "step.jsonl", "fed.jsonl", "result.json":
        (results / name).write_text("{}\n")
    said, log = run("bench/on-gpu.sh", "--rehearse", PROGRAMS=str(FOLDER / "elsewhere"), OUT=str(results))
    assert " 0 failed, " in said and f"{FOLDER}/elsewhere/tests/test_op_parity\n" in log, said + log
    assert [path.name for path in results.iterdir()] == ["log.txt"], list(results.iterdir())


def check_bench_on_gpu():
    """A machine where only the wrapper finds the programs, the driver's among them, and where there is no checkout's history."""
    hidden = FOLDER / "hidden"
    for name in "nvidia-smi", "bench_views", "bench_ops":
        write_program(hidden / name, "")
    write_program(hidden / "barlow", "echo 'barlow 1.2.3 (abc1234)'")
    line = """for word in "$@"; do [ "$last" != --batch ] || batch=$word; last=$word; done
        echo '{"program": "PROGRAM", "device": "a GPU", "batch": '$batch', "precision": "bf16", "views_per_second": SPEED, "compile": false, "versions": {"torch": "2"}}'"""
    write_program(hidden / "bench_step", line.replace("PROGRAM", "barlow").replace("SPEED", "30"))
    peer = line.replace("PROGRAM", "pytorch").replace("SPEED", "20")
    write_program(hidden / "python3", f'if [[ $1 != *peer_torch.py ]]; then exec {sys.executable} "$@"; fi\n{peer}')
    write_program(FOLDER / "wrapper", f'PATH="{hidden}:$PATH" exec "$@"')
    write_program(FOLDER / "bench/gpu_fed.sh", 'echo "{}" >"$2"')
    shutil.copy(PROJECT / "bench/collect.py", FOLDER / "bench/collect.py")
    results = FOLDER / "measured"
    said, _ = run("bench/on-gpu.sh", "benches", RUN=str(FOLDER / "wrapper"), OUT=str(results))
    assert " 0 failed, 0 skipped" in said, said
    result = json.loads((results / "result.json").read_text())
    assert result["commit"] == "abc1234" and result["device"] == "a GPU", result
    assert sorted((entry["batch"], entry["ratio"]) for entry in result["whole_step"]) == [(batch, 1.5) for batch in (32, 64, 128, 256, 512)], result
    assert len(result["steps"]) == 5 * 2 + 2, "the peers that are not the fastest are missing"


try:
    make_project()
    for check in check_count, check_presets, check_quickstart, check_bench, check_bench_on_gpu:
        check()
        print(check.__name__, flush=True)
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
