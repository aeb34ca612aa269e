#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The input path against its peer, the original script's transforms (torchvision on PIL), in one run.

peer_input.py BENCH_INPUT_PIPELINE [--rounds 3] [--images 200] [FILE...]

Without files, 32 made-up photographs of 500x375 and about 64 kB. Both sides use one core and count CPU time; they take
turns, so a disturbance hits both. Prints one JSON line: images per second per core of each side, and their ratio.
"""
import argparse
import io
import json
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torchvision import transforms
from torchvision.transforms import InterpolationMode

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("files", nargs="*")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--images", type=int, default=200)
parser.add_argument("--image-size", type=int, default=224)
parser.add_argument("--size-kb", type=float, default=64, help="of the made-up photographs")
arguments = parser.parse_args()
torch.set_num_threads(1)


def made_up_photo(seed):
    """Natural images have amplitudes that fall as one over the frequency; so has this one."""
    noise = np.random.default_rng(seed)
    height, width = 375, 500
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    layers = [np.fft.irfft2(np.fft.rfft2(noise.normal(size=(height, width))) / frequency, (height, width)) for _ in range(4)]
    shared = layers[3]
    channels = [shared + 0.35 * layer for layer in layers[:3]]
    pixels = np.stack([(c - c.mean()) / c.std() * 60 + 120 for c in channels], -1)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    best = None
    for quality in range(40, 100, 3):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        if best is None or abs(len(file.getvalue()) - 1e3 * arguments.size_kb) < abs(len(best) - 1e3 * arguments.size_kb):
            best = file.getvalue()
    return best


def blur(image):
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))


def view(blur_probability, solarize_probability):
    return transforms.Compose([
        transforms.RandomResizedCrop(arguments.image_size, interpolation=InterpolationMode.BICUBIC),
        transforms.RandomHorizontalFlip(),
        transforms.RandomApply([transforms.ColorJitter(0.4, 0.4, 0.2, 0.1)], 0.8),
        transforms.RandomGrayscale(0.2),
        transforms.RandomApply([transforms.Lambda(blur)], blur_probability),
        transforms.RandomApply([transforms.Lambda(ImageOps.solarize)], solarize_probability),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ])


def peer_round(files, views):
    contents = [pathlib.Path(f).read_bytes() for f in files]
    start = time.process_time()
    for i in range(arguments.images):
        image = Image.open(io.BytesIO(contents[i % len(contents)])).convert("RGB")
        for make in views:
            make(image)
    return arguments.images / (time.process_time() - start)


with tempfile.TemporaryDirectory() as folder:
    files = arguments.files
    for i in range(0 if files else 32):
        path = pathlib.Path(folder, f"{i}.jpg")
        path.write_bytes(made_up_photo(i))
        files.append(str(path))
    views = [view(1.0, 0.0), view(0.1, 0.2)]
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        command = [arguments.program, f"--images={2 * arguments.images}", f"--image-size={arguments.image_size}", *files]
        ours.append(json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout))
        theirs.append(peer_round(files, views))
    mean_kb = statistics.mean(pathlib.Path(f).stat().st_size for f in files) / 1e3

rates = [run["images_per_second_per_core"] for run in ours]
print(json.dumps({
    "barlow": statistics.median(rates),
    "torchvision_pil": round(statistics.median(theirs), 1),
    "ratio": round(statistics.median(a / b for a, b in zip(rates, theirs)), 2),
    "barlow_decode_ms": statistics.median(run["decode_ms"] for run in ours),
    "barlow_two_views_ms": statistics.median(run["two_views_ms"] for run in ours),
    "mean_file_kb": round(mean_kb, 1),
    "unit": "images per second per core",
}))
