#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is learnt: the same recipe by barlow and by PyTorch, beside the untrained encoder and raw pixels, over several seeds.

    bench/learning/compare.py --output runs/learning --seeds 0 1 2 --epochs 1.6

Every encoder is measured by `barlow evaluate all`. What is finished is kept, so a second start goes on. Prints a Markdown table and
writes it with all numbers to OUTPUT/results.json.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=ROOT / "build/cpu-release/bin", type=pathlib.Path)
    parser.add_argument("--images", default="/usr/share/datasets/fashion-mnist", type=pathlib.Path, help="folder of the IDX files")
    parser.add_argument("--config", default=ROOT / "jobs/fashion_mnist.toml", type=pathlib.Path)
    parser.add_argument("--epochs", type=float, help="instead of the recipe's")
    parser.add_argument("--precision", choices=["bf16", "fp32"], default="bf16", help="of both programs")
    parser.add_argument("--output", default=ROOT / "runs/learning", type=pathlib.Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--python", default="/usr/bin/python3", help="a python3 with PyTorch and torchvision")
    parser.add_argument("--ranks", type=int, default=2)
    return parser.parse_args()


class Comparison:
    def __init__(self, a):
        self.a = a
        self.config = self.write_recipe()
        self.recipe = tomllib.loads(self.config.read_text(encoding="utf-8"))
        self.train, self.test = a.output / "train.h5", a.output / "test.h5"
        self.launch = ["mpirun", "-n", str(a.ranks), "--bind-to", "none", str(a.bin / "barlow")]

    def write_recipe(self):
        """What both programs read."""
        lines = [line for line in self.a.config.read_text(encoding="utf-8").splitlines() if not (self.a.epochs and line.startswith("epochs"))]
        file = self.a.output / "recipe.toml"
        file.write_text("\n".join(lines + [f"epochs = {self.a.epochs}"] * bool(self.a.epochs)) + "\n", encoding="utf-8")
        return file

    def run(self, command):
        subprocess.run([str(word) for word in command], check=True)

    def pack(self):
        for source, target in ((self.a.images / "train-images-idx3-ubyte.gz", self.train), (self.a.images / "t10k-images-idx3-ubyte.gz", self.test)):
            if not target.exists():
                self.run([self.a.bin / "barlow-data", "pack", source, "--output", target])

    def evaluate(self, name, *encoder):
        file = self.a.output / f"{name}.json"
        if not file.exists():
            self.run([*self.launch, "evaluate", "all", "--train", self.train, "--test", self.test, "--quiet", *encoder, "--json", file])
        return {entry["protocol"]: entry["top1"] for entry in json.loads(file.read_text(encoding="utf-8"))}

    def encoder_flags(self):
        return [word for key in ("architecture", "stem", "image-size") for word in (f"--{key}", self.recipe[key])]

    def barlow(self, seed):
        run, start = self.a.output / f"barlow-{seed}", time.monotonic()
        seconds = run / "seconds"
        if not seconds.exists():
            self.run([*self.launch, "pretrain", "--data", self.train, "--output", run, "--config", self.config, "--precision", self.a.precision, "--seed", seed,
                      "--log-every-steps", 50])
            seconds.write_text(str(round(time.monotonic() - start)), encoding="utf-8")
        return {**self.evaluate(f"barlow-{seed}", "--checkpoint", run / "backbone.safetensors", *self.encoder_flags()), "seconds": float(seconds.read_text())}

    def pytorch(self, seed):
        weights, log = self.a.output / f"pytorch-{seed}.safetensors", self.a.output / f"pytorch-{seed}-training.json"
        if not log.exists():
            done = subprocess.run([self.a.python, str(ROOT / "bench/learning/train_peer.py"), "--images", str(self.a.images / "train-images-idx3-ubyte.gz"),
                                   "--config", str(self.config), "--output", str(weights), "--seed", str(seed),
                                   "--precision", self.a.precision], check=True, stdout=subprocess.PIPE, text=True)
            log.write_text(done.stdout, encoding="utf-8")
        return {**self.evaluate(f"pytorch-{seed}", "--checkpoint", weights, *self.encoder_flags()), "seconds": json.loads(log.read_text())["seconds"]}


def show(values):
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def main():
    a = parse()
    a.output.mkdir(parents=True, exist_ok=True)
    comparison = Comparison(a)
    comparison.pack()
    results = {"barlow": [], "PyTorch": []}
    for seed in a.seeds:  # by turns: what is there after an early end compares
        results["barlow"].append(comparison.barlow(seed))
        results["PyTorch"].append(comparison.pytorch(seed))
    results["untrained"] = [comparison.evaluate("untrained", "--untrained", "--seed", a.seeds[0], *comparison.encoder_flags())]
    results["raw pixels"] = [comparison.evaluate("raw-pixels", "--raw-pixels", "--image-size", comparison.recipe["image-size"])]
    (a.output / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"\n| top-1, per cent ({len(a.seeds)} seeds) | linear | kNN | pre-training, s |\n|---|---|---|---|")
    for name, rows in results.items():
        seconds = show([row["seconds"] for row in rows]) if "seconds" in rows[0] else ""
        print(f"| {name} | {show([row['linear'] for row in rows])} | {show([row['knn'] for row in rows])} | {seconds} |")


if __name__ == "__main__":
    main()
