# SPDX-License-Identifier: Apache-2.0
"""A signal that comes while the program starts, MPI_Init included, stops the run at its first step: checkpoint, 75, and the same command goes on."""
import os
import signal
import subprocess
import time

from program import BARLOW, DATA, FOLDER, command, finished, make_images, ranks_of, require_same_run, run, tensors, wait_until

LONGER = {"epochs": 6}
DELAYS = 0, 0.05, 0.2


def has_begun(process):
    """It is in main(): it catches SIGUSR1, or it has a second thread, as it has in MPI_Init."""
    with open(f"/proc/{process}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    return status["Name"].strip() == "barlow" and (int(status["SigCgt"], 16) >> (signal.SIGUSR1 - 1) & 1 or int(status["Threads"]) > 1)


class Start:
    """A command of so many ranks (0: no mpirun) that has just been started."""

    def __init__(self, words, ranks):
        self.words = words
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: len(self.find(ranks)) == max(ranks, 1), 60, "not all ranks have been started", pause=0.001)
        self.ranks = self.find(ranks)

    def find(self, ranks):
        return ranks_of(self.process) if ranks else [self.process.pid]

    def send(self, number, delay=0.0):
        """Every rank hears of it so long after its own main() has begun."""
        for rank in self.ranks:
            wait_until(lambda rank=rank: has_begun(rank), 60, "no main()", pause=0.0005)
        time.sleep(delay)
        for rank in self.ranks:
            os.kill(rank, number)

    def end(self, expect):
        errors = self.process.communicate(timeout=120)[1]
        assert self.process.returncode == expect, f"{self.words}\nreturned {self.process.returncode}, not {expect}\n{errors}"
        return errors


def check_stops(ranks):
    folder = FOLDER / f"whole-{ranks}"
    run(command(folder, ranks, **LONGER))
    reference = finished(folder)
    for delay in DELAYS:
        for number in (signal.SIGUSR1, signal.SIGTERM) if delay == 0 else (signal.SIGUSR1,):
            folder = FOLDER / f"stopped-{ranks}-{delay}-{number.name}"
            words = command(folder, ranks, **LONGER)
            start = Start(words, ranks)
            start.send(number, delay)
            errors = start.end(expect=75)
            step = int(tensors(folder / "checkpoint.h5")["step"])
            assert f"stopped on request after step {step};" in errors and (step == 0 or delay > 0), errors
            print(f"  {number.name} {delay} s after the first line of main(), {ranks} ranks: stopped after step {step}")
            run(words)
            require_same_run(folder, reference)


def check_second_interrupt():
    """The first Ctrl-C asks, the second ends."""
    start = Start(command(FOLDER / "interrupted", 0, **LONGER), 0)
    start.send(signal.SIGINT)
    time.sleep(0.02)
    start.send(signal.SIGINT)
    start.end(expect=-signal.SIGINT)


def check_other_commands():
    start = Start([BARLOW, "evaluate", "knn", "--untrained", "--train", DATA, "--test", DATA], 0)
    start.send(signal.SIGTERM)
    start.end(expect=-signal.SIGTERM)


make_images()
check_stops(0)
check_stops(2)
check_second_interrupt()
check_other_commands()
