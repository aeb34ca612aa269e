#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every augmentation step against PIL and torchvision. compare_with_pil.py APPLY_RECIPE

Bound: the mean absolute difference of a step, in 8-bit levels. Steps whose bound is 0 are equal bit for bit.
"""
import subprocess
import sys

try:
    import numpy as np
    from PIL import Image, ImageFilter, ImageOps, __version__ as pillow
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as F
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

program = sys.argv[1]
random = np.random.default_rng(5)


def photo(width, height):
    """Smooth colour with edges and noise: every filter has something to get wrong."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [128 + 100 * np.sin(x / (7 + 5 * c) + y / (11 - 2 * c)) for c in range(3)]
    pixels = np.stack(channels, -1) + random.normal(0, 12, (height, width, 3))
    pixels[height // 3 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def ours(image, size, steps):
    command = [program, str(image.width), str(image.height), str(size), *steps]
    output = subprocess.run(command, input=np.asarray(image).tobytes(), capture_output=True, check=True).stdout
    return np.frombuffer(output, np.uint8).reshape(size, size, 3).astype(np.int16)


def crop(left, top, width, height, size):
    return lambda image: F.resized_crop(image, top, left, height, width, [size, size], InterpolationMode.BICUBIC)


def evaluate(shorter, size, interpolation):
    return lambda image: F.center_crop(F.resize(image, shorter, interpolation), [size, size])


def all_colours():
    """Each of the 2^24 colours once, in no order: colour steps are held to PIL for every input there is."""
    colours = np.arange(1 << 24, dtype=np.uint32)
    random.shuffle(colours)
    channels = [(colours >> (8 * c)).astype(np.uint8) for c in range(3)]
    return Image.fromarray(np.stack(channels, -1).reshape(4096, 4096, 3))


cases = []  # name, image, view size, our steps, their function, bound
for left, top, width, height in [(0, 0, 500, 375), (13, 40, 300, 280), (100, 7, 224, 224), (5, 5, 60, 70), (250, 200, 40, 170)]:
    cases.append(("crop", photo(500, 375), 224, [f"crop={left},{top},{width},{height}"], crop(left, top, width, height, 224), 0))
if int(pillow.split(".")[0]) < 13:  # which resizes the columns of such boxes first (its pull request 9549)
    cases.append(("crop", photo(500, 375), 224, ["crop=90,20,240,330"], crop(90, 20, 240, 330, 224), 0))
cases.append(("crop", photo(28, 28), 28, ["crop=3,2,19,23"], crop(3, 2, 19, 23, 28), 0))
for width, height in [(500, 375), (375, 500), (256, 256), (33, 90)]:
    cases.append(("evaluate", photo(width, height), 224, ["evaluate=256"], evaluate(256, 224, InterpolationMode.BILINEAR), 0))
    cases.append(("center", photo(width, height), 96, ["center="], evaluate(96, 96, InterpolationMode.BICUBIC), 0))
for factor in (0.6, 0.95, 1.0, 1.27, 1.4):
    cases.append(("brightness", photo(64, 64), 64, [f"brightness={factor}"], lambda i, f=factor: F.adjust_brightness(i, f), 0))
    cases.append(("contrast", photo(64, 64), 64, [f"contrast={factor}"], lambda i, f=factor: F.adjust_contrast(i, f), 0))
    cases.append(("saturation", photo(64, 64), 64, [f"saturation={factor}"], lambda i, f=factor: F.adjust_saturation(i, f), 0))
for turns in (-0.1, -0.003, 0.0, 0.05, 0.1, 0.5):
    cases.append(("hue", photo(64, 64), 64, [f"hue={turns}"], lambda i, t=turns: F.adjust_hue(i, t), 0))
every = all_colours()
cases.append(("all hues", every, 4096, ["hue=0.083"], lambda i: F.adjust_hue(i, 0.083), 0))
cases.append(("all greys", every, 4096, ["grey="], lambda i: F.to_grayscale(i, 3), 0))
for factor in (0.817, 1.1903):
    cases.append(("all saturations", every, 4096, [f"saturation={factor}"], lambda i, f=factor: F.adjust_saturation(i, f), 0))
for factor in random.uniform(0.6, 1.4, 6):
    cases.append(("brightness", photo(256, 256), 256, [f"brightness={factor}"], lambda i, f=factor: F.adjust_brightness(i, f), 0))
    cases.append(("contrast", photo(256, 256), 256, [f"contrast={factor}"], lambda i, f=factor: F.adjust_contrast(i, f), 0))
cases.append(("flip", photo(65, 65), 65, ["flip="], F.hflip, 0))
cases.append(("grey", photo(64, 64), 64, ["grey="], lambda i: F.to_grayscale(i, 3), 0))
for sigma in (0.1, 0.35, 0.8, 1.0, 1.4999, 2.0, 3.7):
    cases.append(("blur", photo(64, 64), 64, [f"blur={sigma}"], lambda i, s=sigma: i.filter(ImageFilter.GaussianBlur(s)), 0))
cases.append(("solarize", photo(64, 64), 64, ["solarize="], ImageOps.solarize, 0))

worst = {}
failed = False
for name, image, size, steps, theirs, bound in cases:
    difference = np.abs(ours(image, size, steps) - np.asarray(theirs(image)))
    mean = difference.mean()
    worst[name] = max(worst.get(name, (0, 0)), (mean, difference.max()))
    if mean > bound:
        failed = True
        print(f"FAILED {name} {steps}: mean absolute difference {mean:.4f}, largest {difference.max()}, bound {bound}")
for name, (mean, largest) in worst.items():
    print(f"{name:16} mean absolute difference {mean:.4f}, largest {largest} levels")
sys.exit(1 if failed else 0)
