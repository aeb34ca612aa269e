# SPDX-License-Identifier: Apache-2.0
"""The start corpora of archives, arrays and texts; seeds.cpp makes those that our own writers make."""
import gzip
import io
import struct
import tarfile


def archive(members, flavour):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=flavour) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue().rstrip(b"\0") + bytes(1024)  # without the padding to 10 kB


def tars():
    for name, flavour in (("ustar", tarfile.USTAR_FORMAT), ("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
        long_name = "x" * 120 + ".JPEG" if name != "ustar" else "folder/" + "x" * 90 + ".JPEG"
        images = archive({"a.JPEG": b"abc", long_name: b"d" * 600}, flavour)
        yield f"val_{name}", b"\1" + images
        yield f"train_{name}", b"\0" + archive({"n01.tar": archive({"b.JPEG": b"e"}, flavour), "n02.tar": images}, flavour)
    yield "train_empty", b"\2" + archive({"n01.tar": archive({}, tarfile.GNU_FORMAT)}, tarfile.GNU_FORMAT)


def idx(dims, values):
    return bytes([0, 0, 8, len(dims)]) + struct.pack(f">{len(dims)}I", *dims) + values


def pairs():
    images, labels = idx((3, 2, 2), bytes(range(12))), idx((3,), bytes([0, 1, 2]))
    colors = idx((1, 2, 2, 3), bytes(range(12)))
    for name, pair in (("plain", (images, labels)), ("unlabelled", (images, b"")), ("colors", (colors, idx((1,), b"\7"))),
                       ("gzip", (gzip.compress(images, mtime=0), gzip.compress(labels, mtime=0)))):
        yield name, struct.pack("<H", len(pair[0])) + pair[0] + pair[1]


def cifars():
    pixels = bytes(range(256)) * 12
    yield "ten", b"\0" + gzip.compress(b"\3" + pixels + b"\1" + pixels, mtime=0)
    yield "hundred", b"\1" + b"\1\x20" + pixels
    yield "ten_plain", b"\0" + b"\3" + pixels


def label_files():
    yield "words", b"n02\nn01\nn02\n"
    yield "numbers", b"1\r\n2\r\n1\r\n\r\n"
    yield "from_zero", b"0\n3\n"


def run_files():
    line = (b'{"step":%d,"epoch":0.5,"loss":900.5,"on_diagonal":3,"off_diagonal":2,"noise_floor":167,"learning_rate_weights":0.2,'
            b'"learning_rate_biases":1e-3,"gradient_norm":4,"images_per_second":200,"loader_wait_share":0.1,"total_steps":9,'
            b'"seconds_left":7,"time":"2026-11-24T03:52:%02dZ"}\n')
    yield "metrics", b"\0" + b"".join(line % (i, i) for i in (1, 2, 3))
    yield "config", b"\1" + b'# help\narchitecture = "resnet18"\nbatch-size = 256\nimage-size = 32\nlambd = 0.0051\n'
    yield "evaluation", b"\2" + b'[{"protocol":"knn","encoder":"runs/a","top1":82.5,"top5":97,"train_images":10,"test_images":5}]'


WRITERS = {"tar": tars, "idx": pairs, "cifar": cifars, "labels": label_files, "run_folder": run_files}


def write(folder):
    for target, writer in WRITERS.items():
        (folder / target).mkdir(parents=True, exist_ok=True)
        for name, content in writer():
            (folder / target / name).write_bytes(content)
    snapshot = folder / "run_folder" / "snapshot.h5"
    snapshot.write_bytes(b"\3" + snapshot.read_bytes())
