# SPDX-License-Identifier: Apache-2.0
"""Every kind of source packs to the same set as its plain form, and every kind of bad input is refused by name."""
import gzip
import io
import json
import shutil
import signal
import struct
import subprocess
import tarfile
import time

import h5py
from tools import BARLOW_DATA, FOLDER, Image, np, photo, run, write_class_folders


def info(path):
    return json.loads(run("info", path, "--json"))


def add(tar, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


source = write_class_folders(FOLDER / "source")
run("pack", source, "--output", FOLDER / "folder.h5")
reference = info(FOLDER / "folder.h5")
files = sorted(path for path in source.rglob("*") if path.is_file())

# ImageNet's archives, in each flavour of tar, members out of order, one name too long for the header.
for flavour in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
    archive = FOLDER / "train.tar"
    with tarfile.open(archive, "w", format=flavour) as outer:
        for folder in sorted(source.iterdir(), reverse=True):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w", format=flavour) as tar:
                for path in reversed(sorted(folder.iterdir())):
                    add(tar, path.name, path.read_bytes())
            add(outer, folder.name + ".tar", inner.getvalue())
    run("pack", archive, "--output", FOLDER / "train.h5", "--overwrite")
    assert info(FOLDER / "train.h5")["fingerprint"] == reference["fingerprint"], flavour
    long_name = "x" * 150 + ".JPEG"
    with tarfile.open(FOLDER / "val.tar", "w", format=flavour) as tar:
        for path in files:
            add(tar, f"{path.parent.name}_{path.name}", path.read_bytes())
        if flavour != tarfile.USTAR_FORMAT:
            add(tar, long_name, files[0].read_bytes())
    labels = [path.parent.name for path in files] + (["class_0"] if flavour != tarfile.USTAR_FORMAT else [])
    (FOLDER / "labels.txt").write_text("\n".join(labels) + "\n")
    run("pack", FOLDER / "val.tar", "--labels", FOLDER / "labels.txt", "--output", FOLDER / "val.h5", "--overwrite")
    with h5py.File(FOLDER / "val.h5") as f:
        assert list(f["labels"][:len(files)]) == [0] * 4 + [1] * 4 + [2] * 4
        if flavour != tarfile.USTAR_FORMAT:
            assert bytes(f["source_names"][:]).decode().endswith(long_name)
(FOLDER / "labels.txt").write_text("\n".join(str(1 + i % 3) for i in range(len(files) + 1)))
run("pack", FOLDER / "val.tar", "--labels", FOLDER / "labels.txt", "--output", FOLDER / "val.h5", "--overwrite")
assert [c["images"] for c in info(FOLDER / "val.h5")["classes"]] == [5, 4, 4]
(FOLDER / "labels.txt").write_text("1\n2\n")
assert "2 labels" in run("pack", FOLDER / "val.tar", "--labels", FOLDER / "labels.txt", "--output", FOLDER / "x", expect=2)
whole = (FOLDER / "train.tar").read_bytes()
(FOLDER / "cut.tar").write_bytes(whole[:len(whole) // 2])
assert "truncated" in run("pack", FOLDER / "cut.tar", "--output", FOLDER / "x", expect=2)
(FOLDER / "noise.tar").write_bytes(b"rubbish!" * 200)
assert "not a tar archive" in run("pack", FOLDER / "noise.tar", "--output", FOLDER / "x", expect=2)

# IDX, plain and gzip; labels by name, by flag, none.
random = np.random.default_rng(0)
images, labels = random.integers(0, 256, (50, 7, 9), dtype=np.uint8), random.integers(0, 4, 50, dtype=np.uint8)
labels[:4] = range(4)
idx = struct.pack(">IIII", 0x803, 50, 7, 9) + images.tobytes()
(FOLDER / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx))
(FOLDER / "train-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 50) + labels.tobytes())
run("pack", FOLDER / "train-images-idx3-ubyte.gz", "--output", FOLDER / "idx.h5")
with h5py.File(FOLDER / "idx.h5") as f:
    assert np.array_equal(f["bytes"][:].reshape(50, 7, 9), images) and np.array_equal(f["labels"][:], labels)
    assert f["sizes"][0].tolist() == [7, 9, 1]
(FOLDER / "other").write_bytes(idx)
run("pack", FOLDER / "other", "--format", "idx", "--labels", FOLDER / "train-labels-idx1-ubyte", "--output", FOLDER / "idx2.h5")
run("pack", FOLDER / "other", "--format", "idx", "--output", FOLDER / "idx3.h5")
assert info(FOLDER / "idx3.h5")["unlabelled"] == 50
for content, message in ((idx[:-5], "truncated"), (idx[:9], "truncated"), (b"\0\0\x08\x03" + b"\xff" * 12, "too many"),
                         (b"hello world", "not an IDX"), (gzip.compress(idx)[:-30], "truncated")):
    (FOLDER / "bad").write_bytes(content)
    assert message in run("pack", FOLDER / "bad", "--format", "idx", "--output", FOLDER / "x", expect=2), message

# CIFAR's binaries.
planes = random.integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
cifar = FOLDER / "cifar"
cifar.mkdir()
for b in range(1, 6):
    records = [bytes([i % 10]) + planes[i].tobytes() for i in range(4 * b - 4, 4 * b)]
    (cifar / f"data_batch_{b}.bin").write_bytes(b"".join(records))
run("pack", cifar, "--output", FOLDER / "cifar.h5")
with h5py.File(FOLDER / "cifar.h5") as f:
    assert np.array_equal(f["bytes"][:].reshape(20, 32, 32, 3), planes.transpose(0, 2, 3, 1))
    assert f["labels"][:].tolist() == [i % 10 for i in range(20)]
(FOLDER / "train.bin").write_bytes(b"".join(bytes([i, 90 + i % 10]) + planes[i].tobytes() for i in range(20)))
run("pack", FOLDER / "train.bin", "--output", FOLDER / "cifar100.h5")
with h5py.File(FOLDER / "cifar100.h5") as f:
    assert f["labels"][3] == 93
assert "whole records" in run("pack", FOLDER / "train.bin", "--format", "cifar10", "--output", FOLDER / "x", expect=2)

# Smaller images, by PIL's filter up to what JPEG adds; those that are small enough stay the files that they were.
run("pack", source, "--output", FOLDER / "small.h5", "--resize-shorter", 16, "--quality", 80)
with h5py.File(FOLDER / "small.h5") as f:
    assert f["sizes"][:].min(0)[0] == 16 and set(f["encodings"][:]) == {1}
run("pack", source, "--output", FOLDER / "smaller.h5", "--resize-shorter", 30, "--quality", 100)
with h5py.File(FOLDER / "smaller.h5") as f:
    for i, (path, size) in enumerate(zip(files, f["sizes"][:, :2].tolist())):
        stored, original = f["bytes"][f["offsets"][i]:f["offsets"][i + 1]].tobytes(), Image.open(path).convert("RGB")
        if original.height == 30:
            assert stored == path.read_bytes(), path
        else:
            scaled = original.resize((round(original.width * 30 / original.height), 30), Image.BICUBIC).convert("L")
            assert size == [30, scaled.width], (path, size)
            error = np.abs(np.asarray(Image.open(io.BytesIO(stored)).convert("L"), float) - np.asarray(scaled)).mean()
            assert error < 0.5, (path, error)  # bilinear: 1.4, Lanczos: 0.9

# Bad input: each is named, exit code 2, and nothing is left behind.
bad = shutil.copytree(source, FOLDER / "bad-source")
(bad / "class_1" / "image_2.JPEG").write_bytes(files[0].read_bytes()[:-100])  # the head is whole: decoding alone can tell
(bad / "class_2" / "image_0.JPEG").write_bytes(b"GIF89a not a jpeg")
assert "class_1/image_2.JPEG" in run("pack", bad, "--output", FOLDER / "bad.h5", expect=2)
for ranks in (0, 2):
    output = FOLDER / f"bad-{ranks}"
    assert "left out 2" in run("pack", bad, "--output", output, "--on-error", "skip", ranks=ranks)
    assert info(output)["images"] == len(files) - 2
assert "class_" in run("pack", bad, "--output", FOLDER / "bad.h5", expect=2, ranks=3)
(bad / "class_9").mkdir()
assert "class_9" in run("pack", bad, "--output", FOLDER / "bad.h5", expect=2)
assert "given twice" in run("pack", source, source.parent / "." / source.name, "--output", FOLDER / "bad.h5", expect=2)
assert "no such file" in run("pack", FOLDER / "nothing", "--output", FOLDER / "bad.h5", expect=2)
assert "--overwrite" in run("pack", source, "--output", FOLDER / "folder.h5", expect=2)
assert "no shard" in run("pack", source, "--output", source.parent, "--overwrite", expect=2)
assert "--quality" in run("pack", source, "--output", FOLDER / "bad.h5", "--quality", 5, expect=2)
run("pack", source, "--output", FOLDER / "bad.h5", "--format", "nonsense", expect=2)
assert "no such folder" in run("pack", source, "--output", FOLDER / "no" / "set.h5", expect=2)
assert not (FOLDER / "bad.h5").exists() and not list(FOLDER.glob("*.partial*")), list(FOLDER.glob("*.partial*"))

# Of a source in which nothing can be read, each image is told.
lost = FOLDER / "lost" / "class_0"
lost.mkdir(parents=True)
(lost / "two\nlines.jpg").write_bytes(b"")
for ranks in (0, 2):
    error = run("pack", lost.parent, "--output", FOLDER / "lost.h5", "--on-error", "skip", ranks=ranks, expect=2)
    assert 'left out "class_0/two\nlines.jpg": the file is empty' in error and "nothing is written" in error, error
assert not list(FOLDER.glob("lost.h5*"))

# Too long for a JPEG file even when it is small.
thin = shutil.copytree(source / "class_0", FOLDER / "thin" / "class_0").parent
Image.new("RGB", (100000, 10)).save(thin / "class_0" / "thin.png")
flags = ["--output", FOLDER / "thin.h5", "--resize-shorter", 8]
assert "thin.png" in run("pack", thin, *flags, expect=2)
assert "left out 1" in run("pack", thin, *flags, "--on-error", "skip")

# A rank that fails does not wait for the others' shares, which would take minutes here.
large = FOLDER / "large.jpg"
Image.fromarray(photo(2000, 1500)).save(large)
for c in range(2):
    (FOLDER / "slow" / f"class_{c}").mkdir(parents=True)
    for i in range(3000):
        (FOLDER / "slow" / f"class_{c}" / f"{i:04}.jpg").symlink_to(large)
first = FOLDER / "slow" / "class_1" / "0000.jpg"
first.unlink()
first.write_bytes(b"no image")
started = time.monotonic()
assert "class_1/0000.jpg" in run("pack", first.parent.parent, "--output", FOLDER / "slow.set", ranks=2, expect=2)
assert time.monotonic() - started < 40, f"rank 0 went on for {time.monotonic() - started} s"
assert not list(FOLDER.glob("slow.set*"))

# --overwrite replaces data sets and nothing else, and says so before it packs; a slash at the output's end means nothing.
def own(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    return path


with h5py.File(FOLDER / "weights.h5", "w") as f:
    f["weights"] = np.zeros(3)
for output in FOLDER / "weights.h5", own(FOLDER / "notes.h5"), own(FOLDER / "results" / "run.h5").parent:
    before = output.stat()
    assert "no shard" in run("pack", source, "--output", output, "--overwrite", expect=2), output
    assert output.stat().st_ino == before.st_ino and output.stat().st_mtime == before.st_mtime, output
kept = own(FOLDER / "folder.h5.old")
run("pack", source, "--output", FOLDER / "folder.h5", "--overwrite")
assert kept.read_text() == "mine"
run("pack", source, "--output", f"{FOLDER}/shards/", "--shards", 3)
in_the_way = own(FOLDER / "shards.old" / "notes")
assert "shards.old" in run("pack", source, "--output", FOLDER / "shards", "--shards", 2, "--overwrite", expect=2)
assert in_the_way.read_text() == "mine" and info(FOLDER / "shards")["shards"] == 3
shutil.rmtree(in_the_way.parent)
for count in 2, 1, 3:
    run("pack", source, "--output", FOLDER / "shards", "--shards", count, "--overwrite")
    assert info(FOLDER / "shards")["shards"] == count and info(FOLDER / "shards")["fingerprint"] == reference["fingerprint"]
assert not list(FOLDER.glob("shards?*")) and not list(FOLDER.glob("*.partial*")), list(FOLDER.iterdir())

# No space (a file-size limit stands for it), then an interruption at a random moment: nothing that opens is left.
flags = ["--images", 400, "--classes", 2, "--size", "100x100", "--encoding", "raw"]
error = run("synthesize", "--output", FOLDER / "full.h5", *flags, limit_bytes=6 << 20, expect=1)
assert "cannot write" in error, error
assert not list(FOLDER.glob("full*")), list(FOLDER.glob("full*"))
for delay in (0.5, 0.8):
    command = [BARLOW_DATA, "synthesize", "--output", FOLDER / "killed.h5", *flags[:1], 20000, *flags[2:]]
    process = subprocess.Popen([str(word) for word in command],
                               stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (FOLDER / "killed.h5").exists()
    if (FOLDER / "killed.h5.partial").exists():
        run("info", FOLDER / "killed.h5.partial", expect=2)
run("synthesize", "--output", FOLDER / "killed.h5", *flags[:1], 4, *flags[2:])
assert not (FOLDER / "killed.h5.partial").exists()
print("sources pack, bad ones are named")
