#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A recipe of `barlow pretrain` in PyTorch: same model, batch, steps, LARS and augmentation (torchvision on PIL's images).

Reads IDX images (MNIST's family) and the recipe's TOML, and writes the backbone as safetensors, so that `barlow evaluate` measures both
encoders alike. Its seed gives other weights, another order and other views than barlow's same seed: what is compared is what is learnt.
"""
import argparse
import gzip
import json
import pathlib
import sys
import time
import tomllib

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import transforms

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/oracle/train"))
from barlow_reference import Reference  # noqa: E402

DEFAULTS = {"learning-rate-weights": 0.2, "learning-rate-biases": 0.0048, "weight-decay": 1e-6, "lambd": 0.0051, "momentum": 0.9,
            "lars-eta": 0.001, "lars-clip": False, "reference-world-size": 16, "warmup-epochs": 10,
            "crop-scale-min": 0.08, "crop-scale-max": 1.0, "flip": 0.5, "jitter": 0.8, "brightness": 0.4, "contrast": 0.4,
            "saturation": 0.2, "hue": 0.1, "grey": 0.2, "blur-1": 1.0, "blur-2": 0.1, "solarize-1": 0.0, "solarize-2": 0.2}


def transform(c, view):
    jitter = transforms.ColorJitter(c["brightness"], c["contrast"], c["saturation"], c["hue"])
    steps = [transforms.RandomResizedCrop(c["image-size"], scale=(c["crop-scale-min"], c["crop-scale-max"]), interpolation=transforms.InterpolationMode.BICUBIC),
             transforms.RandomHorizontalFlip(c["flip"]), transforms.RandomApply([jitter], p=c["jitter"])]
    if c["grey"] > 0:
        steps.append(transforms.RandomGrayscale(c["grey"]))
    if c[f"blur-{view}"] > 0:
        steps.append(transforms.RandomApply([transforms.GaussianBlur(9, (0.1, 2.0))], p=c[f"blur-{view}"]))
    if c[f"solarize-{view}"] > 0:
        steps.append(transforms.RandomSolarize(128, c[f"solarize-{view}"]))
    return transforms.Compose(steps)


class Views(torch.utils.data.Dataset):
    """Two views of an image as 8-bit [2, H, W, 3]."""

    def __init__(self, images, c):
        self.images, self.transforms = images, [transform(c, 1), transform(c, 2)]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = Image.fromarray(self.images[index]).convert("RGB")
        return torch.from_numpy(np.stack([np.asarray(view(image)) for view in self.transforms]))


def read_idx(path):
    content = gzip.open(path).read() if str(path).endswith(".gz") else pathlib.Path(path).read_bytes()
    count, height, width = np.frombuffer(content, ">u4", 3, 4)
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, height, width)


def initialize(reference):
    """The original's weights: torchvision's, and no branch at first."""
    for module in reference.backbone.modules():
        if isinstance(module, nn.Conv2d):  # the small stems' too
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    for name, value in reference.backbone.named_parameters():
        if name.endswith("bn3.weight") or (name.endswith("bn2.weight") and reference.configuration["architecture"] in ("resnet18", "resnet34")):
            nn.init.zeros_(value)


def write_backbone(path, backbone):
    header, parts, offset = {}, [], 0
    for name, value in backbone.state_dict().items():
        data = value.contiguous().numpy().tobytes()
        header[name] = {"dtype": "F32" if value.dtype == torch.float32 else "I64", "shape": list(value.shape), "data_offsets": [offset, offset + len(data)]}
        parts.append(data)
        offset += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", required=True, type=pathlib.Path, help="IDX file of the training images")
    parser.add_argument("--config", required=True, type=pathlib.Path, help="the recipe")
    parser.add_argument("--output", required=True, type=pathlib.Path, help="safetensors file of the backbone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="bf16: autocast")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes that make views")
    parser.add_argument("--max-steps", type=int, default=0, help="stop early, to time a step")
    a = parser.parse_args()
    c = {**DEFAULTS, **tomllib.loads(a.config.read_text(encoding="utf-8"))}

    torch.manual_seed(a.seed)
    torch.set_num_threads(a.threads)
    images = read_idx(a.images)
    per_epoch = len(images) // c["batch-size"]
    total = max(1, round(c["epochs"] * per_epoch))
    reference = Reference(c, total, round(c["warmup-epochs"] * per_epoch), torch.float32, autocast=a.precision == "bf16")
    initialize(reference)
    reference.backbone.to(memory_format=torch.channels_last)
    loader = torch.utils.data.DataLoader(Views(images, c), c["batch-size"], shuffle=True, drop_last=True, num_workers=a.workers)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])

    step, start = 0, time.monotonic()
    while step < (a.max_steps or total):
        for views in loader:
            normalized = (views.transpose(0, 1).float() / 255 - mean) / std
            on, off, _ = reference.forward(normalized)
            reference.lars_step(step)
            step += 1
            if step % 25 == 0 or step == total:
                print(f"step {step}/{total}  loss {on + off:.2f}  {(time.monotonic() - start) / step:.2f} s per step", file=sys.stderr, flush=True)
            if step == (a.max_steps or total):
                break
    write_backbone(a.output, reference.backbone)
    print(json.dumps({"program": "pytorch", "torch": torch.__version__, "precision": a.precision, "seed": a.seed, "steps": step, "seconds": round(time.monotonic() - start, 1),
                      "loss": round(on + off, 3)}))


if __name__ == "__main__":
    main()
