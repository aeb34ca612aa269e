#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The peer: the same Barlow Twins step in PyTorch, as the original script makes it, with its best settings on this machine.

Two passes (a view each), projector, loss by the D x D matrix, the original's eager LARS; images resident. Prints one JSON line.
"""
import argparse
import json
import os
import statistics
import sys
import time

# glibc gives freed activations back to the kernel at every step otherwise: 10-15 % for PyTorch on CPUs.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184"}
if any(os.environ.get(key) != value for key, value in MALLOC.items()):
    os.environ.update(MALLOC)
    os.execv(sys.executable, [sys.executable, *sys.argv])

import torch
import torchvision
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
parser.add_argument("--architecture", default="resnet50")
parser.add_argument("--image-size", type=int, default=224)
parser.add_argument("--projector", default="8192-8192-8192")
parser.add_argument("--warmup", type=int, default=1)
parser.add_argument("--iters", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--memory-format", choices=["channels_last", "contiguous"], default="channels_last")
parser.add_argument("--sync-batch-norm", action="store_true", help="SyncBatchNorm as in a group of several ranks, alone in one (GPU only)")
parser.add_argument("--compile", action="store_true", help="torch.compile the network (torch 2 and newer)")
arguments = parser.parse_args()

torch.set_num_threads(arguments.threads)
device = "cuda" if torch.cuda.is_available() else "cpu"
if device == "cuda":
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = arguments.precision == "tf32"
layout = torch.channels_last if arguments.memory_format == "channels_last" else torch.contiguous_format


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = getattr(torchvision.models, arguments.architecture)(zero_init_residual=True)
        sizes = [self.backbone.fc.in_features, *map(int, arguments.projector.split("-"))]
        self.backbone.fc = nn.Identity()
        layers = []
        for before, after in zip(sizes[:-2], sizes[1:-1]):
            layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
        self.projector = nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1], bias=False))
        self.bn = nn.BatchNorm1d(sizes[-1], affine=False)

    def forward(self, first, second):
        z1, z2 = self.projector(self.backbone(first)), self.projector(self.backbone(second))
        c = self.bn(z1).T @ self.bn(z2) / arguments.batch
        on = (torch.diagonal(c) - 1).pow(2).sum()
        off = c.flatten()[:-1].view(len(c) - 1, len(c) + 1)[:, 1:].pow(2).sum()
        return on + 0.0051 * off


@torch.no_grad()
def lars(parameters, buffers, rate_weights=0.01, rate_biases=0.001, decay=1e-6, eta=0.001, momentum=0.9):
    for p in parameters:
        g = p.grad
        if p.ndim > 1:
            g = g.add(p, alpha=decay)
            norm, update = torch.norm(p), torch.norm(g)
            one = torch.ones_like(norm)
            g = g.mul(torch.where(norm > 0, torch.where(update > 0, eta * norm / update, one), one))
        if p not in buffers:
            buffers[p] = torch.zeros_like(p)
        m = buffers[p]
        m.mul_(momentum).add_(g)
        p.add_(m, alpha=-(rate_weights if p.ndim > 1 else rate_biases))


class AloneSyncBatchNorm(nn.SyncBatchNorm):
    """What a rank of many does: the module itself turns to plain batch norm in a group of one."""

    def forward(self, x):
        self.num_batches_tracked.add_(1)
        return torch.nn.modules._functions.SyncBatchNorm.apply(x, self.weight, self.bias, self.running_mean, self.running_var, self.eps, self.momentum,
                                                               torch.distributed.group.WORLD, 1)


torch.manual_seed(0)
network = Network()
if arguments.sync_batch_norm:
    if device == "cpu":
        sys.exit("peer_torch.py: --sync-batch-norm: PyTorch has it on GPUs only")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29511", RANK="0", WORLD_SIZE="1")
    torch.distributed.init_process_group("nccl")
    network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
    for module in network.modules():
        if isinstance(module, nn.SyncBatchNorm):
            module.__class__ = AloneSyncBatchNorm
network = network.to(device).to(memory_format=layout).train()
parameters = list(network.parameters())
buffers = {}
forward = torch.compile(network) if arguments.compile else network
size = (arguments.batch, 3, arguments.image_size, arguments.image_size)
views = [torch.randn(size, device=device).to(memory_format=layout) for _ in range(2)]
seconds = []
for step in range(arguments.warmup + arguments.iters):
    start = time.perf_counter()
    network.zero_grad(set_to_none=True)
    with torch.autocast(device, torch.bfloat16, enabled=arguments.precision == "bf16"):
        loss = forward(*views)
    loss.backward()
    lars(parameters, buffers)
    loss.item()
    if step >= arguments.warmup:
        seconds.append(time.perf_counter() - start)

median = statistics.median(seconds)
print(json.dumps({
    "program": "pytorch", "versions": {"torch": torch.__version__, "torchvision": torchvision.__version__}, "device": device,
    "architecture": arguments.architecture, "image_size": arguments.image_size, "projector": arguments.projector,
    "batch": arguments.batch, "precision": arguments.precision, "memory_format": arguments.memory_format, "compile": arguments.compile, "sync_batch_norm": arguments.sync_batch_norm,
    "seconds_median": round(median, 4), "views_per_second": round(2 * arguments.batch / median, 3)}))
