#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training steps of `barlow pretrain` against PyTorch in double precision.

check_trace.py BIN_FOLDER MPIEXEC [WORD]   runs the program on synthetic images and checks its traces; with WORD, the cases whose names begin with it
check_trace.py --replay TRACE.h5 [...]     checks traces of your own

Every step starts from the trace's own parameters (parameters_before), with the momentum that the reference carries, so an error is
that of one step. Errors are relative, by norm per tensor. Each is held to its bound or to three times the error of PyTorch's own
fp32 of the same step, whichever is larger: a norm over a batch of eight or a fit of nearly equal embeddings loses digits in any fp32.

In fp32 a ReLU whose input is within rounding of zero may open or close, in PyTorch's as in ours, at other places. In a small batch one
such flip moves the gradients behind it by per cents. It strikes single steps: so each gradient is held to the tight bound at its median
step, and to the wide one at every step. The last layer of the projector has no ReLU behind it, and is held to a tight bound always.
"""
import json
import statistics
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch

    from barlow_reference import Reference
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

FP32 = {"loss": 1e-4, "embeddings": 2e-4, "last_gradient": 5e-4, "gradients": 0.2, "median_gradients": 3e-2, "parameters_after": 1e-3,
        "buffers_after": 1e-4}
# bf16 has 8 bits: a forward pass is off by a per cent, and a gradient of a deep layer by several.
BF16 = {"loss": 0.03, "embeddings": 0.1, "last_gradient": 0.1, "gradients": 1.0, "median_gradients": 0.7, "parameters_after": 5e-3,
        "buffers_after": 0.03}


def relative(ours, theirs):
    ours, theirs = torch.as_tensor(np.asarray(ours)).double(), torch.as_tensor(np.asarray(theirs)).double()
    scale = theirs.norm().item()
    return (ours - theirs).norm().item() / scale if scale > 0 else (ours - theirs).norm().item()


class Errors:
    """The errors of one trace by kind and tensor, a value per step, beside those of PyTorch's own fp32."""

    def __init__(self):
        self.values = {}

    def add(self, kind, name, ours, exact, single=None):
        own = relative(single, exact) if single is not None else 0.0
        self.values.setdefault((kind, name), []).append((relative(ours, exact), own))

    def judge(self, bounds):
        """Prints the worst tensor of each kind; returns whether all are within the bounds."""
        for (kind, name), steps in list(self.values.items()):
            if kind == "gradients":
                self.values["median_gradients", name] = [tuple(statistics.median(column) for column in zip(*steps))]
        good = True
        for kind, bound in bounds.items():
            found = [(error, own, name) for (k, name), steps in self.values.items() if k == kind for error, own in steps]
            error, own, name = max(found, key=lambda entry: entry[0] / max(bound, 3 * entry[1]))
            within = all(error <= max(bound, 3 * own) for error, own, _ in found)
            good = good and within
            print(f"  {kind:17} {error:9.2e}  bound {bound:.0e}  PyTorch's fp32 {own:.1e}  {name}{'' if within else '  TOO LARGE'}")
        return good


def check(path, bounds, steps_per_epoch):
    """Returns whether every step of the trace is within the bounds."""
    errors = Errors()
    with h5py.File(path) as trace:
        configuration = json.loads(trace.attrs["configuration"])
        total = max(1, round(configuration["epochs"] * steps_per_epoch))
        warmup = round(configuration["warmup-epochs"] * steps_per_epoch)
        reference = Reference(configuration, total, warmup)
        single = Reference(configuration, total, warmup, torch.float32)
        for group in sorted(trace):
            check_step(errors, int(group.split("_")[1]), trace[group], reference, single)
    return errors.judge(bounds)


def check_step(errors, step, data, reference, single):
    before = {name: value[()] for name, value in data["parameters_before"].items()}
    reference.load(before)
    single.load(before)
    on, off, embeddings = reference.forward(data["views"][()])
    single_on, single_off, single_embeddings = single.forward(data["views"][()])
    errors.add("loss", "on", data.attrs["on_diagonal"], on, single_on)
    errors.add("loss", "off", data.attrs["off_diagonal"], off, single_off)
    errors.add("loss", "loss", data.attrs["loss"], on + off, single_on + single_off)
    for name, rate in zip(("learning_rate_weights", "learning_rate_biases"), reference.rates(step)):
        errors.add("loss", name, data.attrs[name], rate)
    errors.add("embeddings", "embeddings", data["embeddings"][()], embeddings, single_embeddings)
    gradients = {name: p.grad for name, p in reference.model.named_parameters()}
    singles = {name: p.grad for name, p in single.model.named_parameters()}
    last = [name for name in gradients if name.startswith("projector.")][-1]
    for name, gradient in gradients.items():
        errors.add("last_gradient" if name == last else "gradients", name, data["gradients"][name][()], gradient, singles[name])
    reference.lars_step(step)
    for name, parameter in reference.model.named_parameters():
        errors.add("parameters_after", name, data["parameters_after"][name][()], parameter.detach())
    for name, buffer in reference.model.named_buffers():
        errors.add("buffers_after", name, data["buffers_after"][name][()], buffer, dict(single.model.named_buffers())[name])


def write_weights(path, configuration):
    """Random weights without a gamma of zero, so that every gradient is alive, as a safetensors file."""
    torch.manual_seed(3)
    reference = Reference(configuration, 1, 0, torch.float32)
    header, blob = {}, b""
    for name, value in reference.tensors().items():
        if name.endswith("num_batches_tracked"):
            continue
        if value.ndim == 1 and name.endswith("weight"):
            value = 0.5 + torch.rand_like(value)
        elif value.ndim == 1 and name.endswith("bias"):
            value = 0.2 * torch.randn_like(value)
        data = value.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + blob)


# The published widths in ten steps each; what else there is to a step, with fewer channels, which is quicker.
CASES = [  # name, ranks, images, steps, flags, bounds
    ("ResNet-18 small, Gram form", 1, 24, 10, "--architecture resnet18 --stem small --image-size 18 --projector 64-96-64 --batch-size 8", FP32),
    ("narrow ResNet-18, direct form, 2 ranks", 2, 24, 3, "--architecture resnet18 --backbone-width 32 --stem tiny --image-size 32 --projector 64-64 --batch-size 8 --loss-form direct", FP32),
    ("narrow ResNet-18, LARS clipped, warm-up, 3 ranks", 3, 24, 3, "--architecture resnet18 --backbone-width 24 --stem tiny --image-size 28 --projector 32 --batch-size 12 --lars-clip --lars-eta 0.02 --warmup-epochs 2", FP32),
    ("ResNet-50 imagenet", 1, 24, 10, "--architecture resnet50 --stem imagenet --image-size 40 --projector 64-64-64 --batch-size 8", FP32),
    ("narrow ResNet-50, 2 ranks", 2, 24, 2, "--architecture resnet50 --backbone-width 16 --stem imagenet --image-size 65 --projector 64-64-64 --batch-size 8 --loss-form gram", FP32),
    ("narrow ResNet-18, bf16, 2 ranks", 2, 64, 2, "--architecture resnet18 --backbone-width 32 --stem small --image-size 32 --projector 64-64 --batch-size 32 --precision bf16", BF16),
]


def run_case(folder, binaries, mpiexec, case):
    """`passed`, `FAILED`, or why it is skipped."""
    name, ranks, images, steps, flags, bounds = case
    print(name, flush=True)
    values = flags.split()
    configuration = {values[i][2:]: values[i + 1] for i in range(len(values) - 1) if values[i].startswith("--")}
    run = tempfile.mkdtemp(dir=folder)
    data, weights, trace = f"{run}/data.h5", f"{run}/weights.safetensors", f"{run}/trace.h5"
    subprocess.run([f"{binaries}/barlow-data", "synthesize", "--output", data, "--images", str(images), "--classes", "4", "--size", "80x72"],
                   check=True, capture_output=True)
    write_weights(weights, configuration)
    command = [mpiexec, "-n", str(ranks), f"{binaries}/barlow", "pretrain", "--data", data, "--output", f"{run}/run", "--precision", "fp32",
               "--epochs", "100", "--warmup-epochs", "0", "--initial-weights", weights, "--trace", trace, "--trace-steps", str(steps),
               "--stop-after-steps", str(steps), "--learning-rate-weights", "1", *values]
    result = subprocess.run(without_repeats(command), capture_output=True, text=True, check=False, timeout=300)
    if configuration.get("precision") == "bf16" and result.returncode == 2 and "does not compute in it" in result.stderr:
        return "skipped: this processor has no bf16"
    if result.returncode != 75:
        print(f"  exit code {result.returncode}, expected 75\n{result.stderr}")
        return "FAILED"
    return "passed" if check(trace, bounds, images // int(configuration["batch-size"])) else "FAILED"


def without_repeats(command):
    """The last value of a flag that is given twice."""
    start = command.index("pretrain") + 1
    flags, i = {}, start
    while i < len(command):
        has_value = i + 1 < len(command) and not command[i + 1].startswith("--")
        flags[command[i]] = command[i + 1 : i + 1 + has_value]
        i += 1 + has_value
    return command[:start] + [word for flag, value in flags.items() for word in (flag, *value)]


def main():
    torch.set_num_threads(1)  # other tests run beside this one, and threads that wait for each other would wait for those
    if sys.argv[1] == "--replay":
        with h5py.File(sys.argv[2]) as trace:
            configuration = json.loads(trace.attrs["configuration"])
        bounds = BF16 if configuration["precision"] == "bf16" else FP32
        return 0 if check(sys.argv[2], bounds, int(sys.argv[3])) else 1
    cases = [case for case in CASES if sys.argv[3:] == [] or case[0].startswith(sys.argv[3])]
    with tempfile.TemporaryDirectory() as folder:
        results = [run_case(folder, sys.argv[1], sys.argv[2], case) for case in cases]
    for case, result in zip(cases, results):
        print(f"{result}  {case[0]}")
    return 0 if results and "FAILED" not in results else 1


if __name__ == "__main__":
    sys.exit(main())
