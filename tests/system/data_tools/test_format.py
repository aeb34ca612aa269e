# SPDX-License-Identifier: Apache-2.0
"""A set is what FORMAT.md says, reads with h5py, does not depend on shards or ranks, and damage is found."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import zlib

import h5py
from tools import BARLOW_DATA, FOLDER, np, run, write_class_folders

source = write_class_folders(FOLDER / "source")
run("pack", source, "--output", FOLDER / "one.h5")
files = sorted(path for path in source.rglob("*") if path.is_file())

# The lines that FORMAT.md shows, as they stand there.
text = (pathlib.Path(__file__).parents[3] / "data_tools" / "FORMAT.md").read_text()
example = re.search(r"```python\n(.*?)```", text, re.S).group(1)
scope = {}
exec(example.replace("train.h5", str(FOLDER / "one.h5")).replace("), 17", "), 7"), scope)
assert bytes(scope["image_bytes"]) == files[7].read_bytes(), "the example reads another image"
assert scope["class_name"] == files[7].parent.name

with h5py.File(FOLDER / "one.h5") as f:
    offsets, names = f["offsets"][:], bytes(f["source_names"][:])
    name_offsets = f["source_name_offsets"][:]
    assert f.attrs["complete"] == 1 and f.attrs["format_version"] == 1 and f.attrs["set_size"] == len(files)
    assert f["bytes"].chunks is None and f["bytes"].dtype == np.uint8 and offsets.dtype == np.int64
    whole = hashlib.sha256()
    for i, path in enumerate(files):
        stored = bytes(f["bytes"][offsets[i]:offsets[i + 1]])
        assert stored == path.read_bytes(), path
        assert zlib.crc32(stored) == f["checksums"][i]
        assert names[name_offsets[i]:name_offsets[i + 1]].decode() == str(path.relative_to(source))
        head = [int(f["encodings"][i]), *map(int, f["sizes"][i]), int(f["labels"][i])]
        whole.update(hashlib.sha256(np.array(head, "<i8").tobytes() + stored).digest())
    for name in ("class_0", "class_1", "class_2"):
        whole.update(np.array([len(name)], "<i8").tobytes() + name.encode())
    fingerprint = f.attrs["fingerprint"]
    fingerprint = fingerprint.decode() if isinstance(fingerprint, bytes) else str(fingerprint)
    assert whole.hexdigest() == fingerprint, "the fingerprint is not what FORMAT.md says"

time.sleep(1.1)  # HDF5's times are whole seconds
run("pack", source, "--output", FOLDER / "later.h5")
assert (FOLDER / "later.h5").read_bytes() == (FOLDER / "one.h5").read_bytes(), "equal sets are not equal files"

for shards, ranks in ((3, 0), (1, 2), (5, 2), (0, 3)):
    output = FOLDER / f"set-{shards}-{ranks}"
    run("pack", source, "--output", output, *(["--shards", shards] if shards else []), ranks=ranks)
    info = json.loads(run("info", output, "--json"))
    assert info["fingerprint"] == fingerprint and info["images"] == len(files), info
    assert info["shards"] == (shards or ranks), info
    assert "0 bad" in run("verify", output)
run("extract", FOLDER / "set-5-2", "--index", 7, "--output", FOLDER / "image")
assert (FOLDER / "image").read_bytes() == files[7].read_bytes()

# A shard that is missing, renamed or of another set.
missing = shutil.copytree(FOLDER / "set-3-0", FOLDER / "missing")
shard = sorted(missing.iterdir())[1]
shard.unlink()
assert 'shard-00002-of-00003.h5" is number 2 in the place of 1' in run("info", missing, expect=2)
run("synthesize", "--output", FOLDER / "other", "--images", 12, "--classes", 3, "--size", "32x24", "--shards", 3)
shutil.copy(sorted((FOLDER / "other").iterdir())[1], shard)
assert "another set" in run("info", missing, expect=2)
shutil.copy(FOLDER / "one.h5", shard.with_name("a.h5"))
assert 'another set than "a.h5"' in run("info", missing, expect=2)

assert "--output" in run("extract", FOLDER / "one.h5", "--index", 0, "--output", FOLDER / "no" / "image", expect=2)
assert "is a data set" in run("extract", FOLDER / "one.h5", "--index", 0, "--output", FOLDER / "one.h5", expect=2)

# A flipped byte is found and the image named; a cut file, another version and a stranger's file are refused.
damaged = bytearray((FOLDER / "one.h5").read_bytes())
with h5py.File(FOLDER / "one.h5") as f:
    damaged[f["bytes"].id.get_offset() + int(offsets[3]) + 20] ^= 1
(FOLDER / "damaged.h5").write_bytes(damaged)
assert str(files[3].relative_to(source)) in run("verify", FOLDER / "damaged.h5", expect=2)
(FOLDER / "odd" / "class").mkdir(parents=True)
shutil.copy(files[3], FOLDER / "odd" / "class" / "two\nlines.jpg")
run("pack", FOLDER / "odd", "--output", FOLDER / "odd.h5")
with h5py.File(FOLDER / "odd.h5", "r+") as f:
    f["bytes"][0] = 0  # the checksum knows of it: decoding alone can tell
    f["checksums"][0] = zlib.crc32(f["bytes"][:].tobytes())
counts = subprocess.run([BARLOW_DATA, "verify", FOLDER / "odd.h5"], capture_output=True, text=True, check=False).stdout
assert "1 images, 1 bad" in counts, counts
shutil.copy(FOLDER / "one.h5", FOLDER / "changed.h5")
with h5py.File(FOLDER / "changed.h5", "r+") as f:
    f["labels"][0] = 1  # another class that there is: only the fingerprint tells
error = run("verify", FOLDER / "changed.h5", expect=2)
assert "is damaged" in error and "bad images" not in error, error
(FOLDER / "cut.h5").write_bytes((FOLDER / "one.h5").read_bytes()[:-100])
run("info", FOLDER / "cut.h5", expect=2)
for change, message in (("version", "format_version 9"), ("complete", "incomplete"), ("offsets", "offsets"),
                        ("set_size", "samples, the set has"), ("labels", "impossible"), ("chunked", "not contiguous"), ("short", "values")):
    shutil.copy(FOLDER / "one.h5", FOLDER / "changed.h5")
    with h5py.File(FOLDER / "changed.h5", "r+") as f:
        if change == "version":
            f.attrs["format_version"] = 9
        elif change == "complete":
            f.attrs["complete"] = 0
        elif change == "set_size":
            f.attrs["set_size"] = len(files) + 1
        elif change == "offsets":
            f["offsets"][-1] = 1 << 40
        elif change == "labels":
            f["labels"][0] = 3
        else:
            values = f["checksums"][:]
            del f["checksums"]
            f.create_dataset("checksums", data=values[:-1] if change == "short" else values,
                             chunks=(4,) if change == "chunked" else None)
    assert message in run("info", FOLDER / "changed.h5", expect=2), change
with h5py.File(FOLDER / "stranger.h5", "w") as f:
    f["images"] = np.zeros(3)
assert "not one that" in run("info", FOLDER / "stranger.h5", expect=2)

# Synthetic sets: a pure function of the flags, whatever the ranks; classes can be told apart.
flags = ["--images", 24, "--classes", 3, "--size", "40x32", "--seed", 5]
run("synthesize", "--output", FOLDER / "s1", *flags)
run("synthesize", "--output", FOLDER / "s2", *flags, ranks=2)
run("synthesize", "--output", FOLDER / "s3", *flags[:-1], 6)
prints = [json.loads(run("info", FOLDER / s, "--json"))["fingerprint"] for s in ("s1", "s2", "s3")]
assert prints[0] == prints[1] != prints[2]
run("synthesize", "--output", FOLDER / "raw.h5", *flags, "--encoding", "raw")
with h5py.File(FOLDER / "raw.h5") as f:
    colors, labels = f["bytes"][:].reshape(24, -1, 3).mean(1), f["labels"][:]
    centers = np.stack([colors[labels == c].mean(0) for c in range(3)])
    nearest = np.argmin(((colors[:, None] - centers) ** 2).sum(-1), 1)
    assert (nearest == labels).mean() > 0.8, nearest

# More shards than files may usually be open at once.
many = FOLDER / "many"
run("synthesize", "--output", many, "--images", 80, "--classes", 2, "--size", "8x8", "--shards", 80, limit_files=64)
assert json.loads(run("info", many, "--json", limit_files=64))["shards"] == 80
run("verify", many, limit_files=64)

# A shard that waits for the others holds none of its pixels in memory.
def peak_mb(shards):
    process = subprocess.Popen([BARLOW_DATA, "synthesize", "--output", FOLDER / f"memory-{shards}", "--images", "6000", "--classes", "2",
                                "--size", "64x64", "--encoding", "raw", "--shards", str(shards)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    return usage.ru_maxrss / 1024


few, many = peak_mb(2), peak_mb(100)
assert many < few + 20, f"{few} MB with 2 shards, {many} MB with 100"
print("format as FORMAT.md says")
