#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills a run (-9) again and again, at random moments, until it is done, and compares it bit for bit with one left alone.

    soak.py BARLOW BARLOW_DATA MPIEXEC [--kills 100] [--seconds 900] [--seed 0] [--ranks 2]

Runs follow each other until the kills are done. Kills fall in the start and the restoring, between steps, while a checkpoint is written and
just after its rename; they hit all ranks at once, one rank or mpirun alone, and then the others must end by themselves. After some kills
the folder is left as between the two renames of a checkpoint, or with a damaged newest one. The seed gives kinds and delays; what a kill
meets is the machine's. At the time limit no more kills follow: too few are no failure, but said.
"""
import argparse
import collections
import functools
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system" / "pretrain"))
if len(sys.argv) < 4 or sys.argv[1].startswith("-"):
    sys.exit(__doc__)
import h5py
from program import FOLDER, STEPS_PER_EPOCH, command, finished, is_alive, kill_processes, make_images, ranks_of, require_same_run, wait_until

EPOCHS = 4
TOTAL = EPOCHS * STEPS_PER_EPOCH
# As wide as the published network: a checkpoint takes long enough to meet kills.
FLAGS = {"backbone_width": 64, "epochs": EPOCHS, "checkpoint_every_steps": 2, "keep_every": 2, "verbose": True}
SEAL_BYTES = 512
NO_STEP_WITHIN = 120  # seconds; a start that makes no step for longer hangs
OTHERS_END_WITHIN = 15  # seconds, after one rank or mpirun has been killed
PATIENCE = 2  # kills in a row without a new checkpoint, before one that waits for it

# How likely each is, in per cent.
MOMENTS = {"starting": 13, "restoring": 12, "stepping": 30, "writing": 33, "renamed": 12}
VICTIMS = {"all ranks": 60, "one rank": 30, "mpirun": 10}
AFTERMATHS = {"nothing": 80, "between renames": 10, "damaged newest": 10}


def choose(source, weights):
    return source.choices(list(weights), list(weights.values()))[0]


@functools.lru_cache(maxsize=8)
def step_in(path, *_):
    content = path.read_bytes()
    seal = f"barlow checkpoint: {len(content)} bytes, those after byte {SEAL_BYTES} have CRC-32 {zlib.crc32(content[SEAL_BYTES:]):08x}\n"
    if content[:SEAL_BYTES] != seal.encode().ljust(SEAL_BYTES, b"\0"):
        return -1
    with h5py.File(path) as file:
        return int(file.attrs["step"])


def step_of(path):
    """The step of a checkpoint that is whole; -1 where it is not, or not there. Read once while it stays as it is."""
    if not path.exists():
        return -1
    stat = path.stat()
    return step_in(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


Pace = collections.namedtuple("Pace", "start_s step_s write_s")


class Start:
    """One start of the run, in the background; its messages go to a file."""

    def __init__(self, folder, ranks):
        self.folder, self.log_file = folder, folder.with_suffix(".log")
        self.newest, self.previous, self.temporary = (folder / f"checkpoint.{end}" for end in ("h5", "previous.h5", "h5.tmp"))
        self.steps_before = step_of(self.newest), step_of(self.previous)
        self.had_newest = self.newest.exists()
        with open(self.log_file, "wb") as log:
            self.mpirun = subprocess.Popen(command(folder, ranks, **FLAGS), stdout=subprocess.DEVNULL, stderr=log)

    def log(self):
        return self.log_file.read_text(errors="replace")

    def steps_made(self):
        return len(re.findall(rf" step \d+/{TOTAL} ", self.log()))

    def is_over(self):
        return self.mpirun.poll() is not None

    def wait_for(self, condition, what, pause=0.002):
        end = time.monotonic() + NO_STEP_WITHIN
        while not condition() and not self.is_over():
            assert time.monotonic() < end, f"{what}: not within {NO_STEP_WITHIN} s\n{self.log()}"
            time.sleep(pause)

    def require_right_beginning(self):
        """It went on from the newest whole checkpoint, if it came that far."""
        newest, previous = self.steps_before
        whole = newest if newest >= 0 else previous
        found = re.search(r"going on after step (\d+)", self.log())
        if found:
            assert int(found[1]) == whole, f"went on after step {found[1]}, the newest whole checkpoint had {whole}\n{self.log()}"
        elif self.steps_made():
            assert whole < 0, f"began anew beside a checkpoint of step {whole}\n{self.log()}"

    def wait_for_moment(self, moment, source, pace):
        if moment == "starting":
            time.sleep(source.uniform(0, pace.start_s))
        elif moment == "restoring":
            self.wait_for(lambda: "loader threads" in self.log() or self.steps_made(), "the end of the start")
            time.sleep(source.uniform(0, 0.3 * pace.start_s))
        elif moment == "stepping":
            steps = source.randint(1, 3)
            self.wait_for(lambda: self.steps_made() >= steps, f"step {steps} of this start")
            time.sleep(source.uniform(0, pace.step_s))
        else:
            count = source.randint(1, 2)
            self.wait_for(self.steps_made, "a step")  # the file that the kill before has left is gone by then
            for number in range(count):
                self.wait_for(self.temporary.exists, "a checkpoint's beginning", 0.0005)
                if number + 1 < count or moment == "renamed":
                    self.wait_for(lambda: not self.temporary.exists(), "a checkpoint's end", 0.0002)
            if moment == "writing":
                time.sleep(source.uniform(0, pace.write_s))

    def wait_for_progress(self):
        """Until there is another checkpoint than at the start."""
        before = self.newest.stat().st_ino if self.newest.exists() else 0
        self.wait_for(lambda: self.newest.exists() and self.newest.stat().st_ino != before, "a new checkpoint")

    def freeze(self):
        """Stops mpirun, so that it starts no more ranks; those that it has started."""
        os.kill(self.mpirun.pid, signal.SIGSTOP)
        stat = pathlib.Path(f"/proc/{self.mpirun.pid}/stat")
        wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] in "TZ", 10, "mpirun does not stop", 0.0)
        return ranks_of(self.mpirun)

    def kill(self, victim, source):
        """@returns what was hit, and the seconds in which the others ended by themselves"""
        ranks = self.freeze()
        source.shuffle(ranks)
        if victim == "one rank" and ranks:
            kill_processes(ranks[:1])
            os.kill(self.mpirun.pid, signal.SIGCONT)
        else:
            victim = "mpirun" if not ranks else victim
            kill_processes([self.mpirun.pid] if victim == "mpirun" else [*ranks, self.mpirun.pid])
        began = time.monotonic()
        wait_until(lambda: self.is_over() and not any(map(is_alive, ranks)), OTHERS_END_WITHIN,
                   f"{victim} killed: processes of {[self.mpirun.pid, *ranks]} are left after {OTHERS_END_WITHIN} s\n{self.log()}")
        code = self.mpirun.returncode
        if victim == "one rank" and "finished:" not in self.log():
            assert code not in (0, 2, 75), f"one rank killed: mpirun returned {code}\n{self.log()}"
        return victim, time.monotonic() - began

    def run_through(self):
        """To the end, undisturbed. @returns its pace, from which delays are drawn"""
        began = time.monotonic()
        self.wait_for(self.steps_made, "a step")
        start_s = time.monotonic() - began
        self.wait_for(lambda: False, "the end", 0.02)
        self.end()
        written = re.findall(r"checkpoint after step \d+ in ([\d.]+) s", self.log())
        return Pace(start_s, (time.monotonic() - began - start_s) / TOTAL, statistics.median(map(float, written or ["0"])))

    def end(self):
        assert self.mpirun.wait() == 0, f"returned {self.mpirun.returncode}\n{self.log()}"
        self.require_right_beginning()


def damage(path, source):
    content = bytearray(path.read_bytes())
    place = source.randrange(len(content))
    kind = source.choice(["bit", "cut", "zeros"])
    if kind == "bit":
        content[place] ^= 1 << source.randrange(8)
    elif kind == "cut":
        del content[place:]
    else:
        place = min(place, 2048)  # zeros in zeros would be no damage
        content[place:place + 512] = bytes(512)
    path.write_bytes(content)


class Soak:
    def __init__(self, options):
        self.options, self.source = options, random.Random(options.seed)
        self.counts, self.slowest_end_s, self.kills, self.runs, self.in_a_row = collections.Counter(), 0.0, 0, 0, 0
        self.began = time.monotonic()
        alone = Start(FOLDER / "alone", options.ranks)
        self.pace = alone.run_through()
        self.reference = finished(alone.folder)

    def may_kill(self):
        return self.kills < self.options.kills and time.monotonic() - self.began < self.options.seconds

    def one_start(self, folder):
        """@returns whether the run is done"""
        start = Start(folder, self.options.ranks)
        try:
            if not self.may_kill():
                start.run_through()
                return True
            moment = choose(self.source, MOMENTS)
            if self.in_a_row >= PATIENCE:
                start.wait_for_progress()
            start.wait_for_moment(moment, self.source, self.pace)
            if start.is_over():
                start.end()
                return True
            victim, seconds = start.kill(choose(self.source, VICTIMS), self.source)
        finally:
            if not start.is_over():
                kill_processes([*start.freeze(), start.mpirun.pid])
        start.require_right_beginning()
        self.count(start, victim, seconds)
        print(f"kill {self.kills}: {victim}, {moment}, {start.steps_made()} steps after the start, {time.monotonic() - self.began:.0f} s", flush=True)
        self.look_after(start)
        return False

    def count(self, start, victim, seconds):
        self.kills += 1
        self.counts[victim] += 1
        if victim != "all ranks":
            self.slowest_end_s = max(self.slowest_end_s, seconds)
        if start.temporary.exists():
            self.counts["writing"] += 1
        elif not start.steps_made():
            self.counts["before a step"] += 1
        else:
            self.counts["elsewhere"] += 1
        if start.had_newest and not start.newest.exists() and "checkpoint.damaged.h5" not in start.log():
            self.counts["met between renames"] += 1

    def look_after(self, start):
        """What the kill left: a whole checkpoint no older than before. Then, sometimes, worse is done to the folder."""
        newest, previous = step_of(start.newest), step_of(start.previous)
        before, now = max(start.steps_before), max(newest, previous)
        assert now >= before, f"kill {self.kills}: the newest whole checkpoint has step {now}, before this start {before}\n{start.log()}"
        self.in_a_row = 0 if now > before else self.in_a_row + 1
        aftermath = choose(self.source, AFTERMATHS)
        if min(newest, previous) < 0 or newest <= previous or aftermath == "nothing":
            return
        if aftermath == "between renames":
            start.newest.rename(start.previous)
        else:
            damage(start.newest, self.source)
        self.counts[aftermath] += 1

    def run_once(self):
        folder = FOLDER / f"killed-{self.runs}"
        self.in_a_row = 0
        while not self.one_start(folder):
            pass
        require_same_run(folder, self.reference)
        self.runs += 1
        shutil.rmtree(folder)

    def summary(self):
        seconds, of = time.monotonic() - self.began, self.counts
        text = f"""{self.kills} of {self.options.kills} kills on {self.options.ranks} ranks in {seconds:.0f} s (seed {self.options.seed}): \
{of['all ranks']} of all ranks, {of['one rank']} of one rank, {of['mpirun']} of mpirun
they met {of['writing']} checkpoints being written, {of['before a step']} starts before a step, {of['met between renames']} pairs of renames; {of['elsewhere']} fell elsewhere
the folder was left {of['between renames']} times as between two renames, {of['damaged newest']} times with a damaged newest checkpoint
the others ended by themselves after {self.slowest_end_s:.1f} s at most (allowed: {OTHERS_END_WITHIN} s)
{self.runs} runs of {TOTAL} steps equal the one left alone: checkpoints, milestones, weights and metrics lines, bit for bit"""
        if self.kills < self.options.kills:
            text += f"\nthe time limit of {self.options.seconds} s came before the other {self.options.kills - self.kills} kills"
        return text

    def soak(self):
        while self.runs == 0 or self.may_kill():
            kills = self.kills
            self.run_once()
            print(f"run {self.runs}: {self.kills - kills} kills, the same bits ({time.monotonic() - self.began:.0f} s)", flush=True)
        print(self.summary())


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=2)
    options = parser.parse_args(sys.argv[4:])
    make_images()
    soak = Soak(options)
    try:
        soak.soak()
    except AssertionError as error:
        sys.exit(f"run {soak.runs + 1}, after {soak.kills} kills: {error}")


if __name__ == "__main__":
    main()
