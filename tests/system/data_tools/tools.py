# SPDX-License-Identifier: Apache-2.0
"""What the tests of barlow-data share."""
import atexit
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py  # noqa: F401
    import numpy as np
    from PIL import Image
except ImportError as error:
    print(f"skipped: {error} (python3-pil, python3-numpy, python3-h5py)")
    sys.exit(77)

BARLOW_DATA, DECODE_IMAGE, MPIEXEC = sys.argv[1:4]
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="barlow-data-test-"))
atexit.register(shutil.rmtree, FOLDER, True)


def run(*arguments, expect=0, ranks=0, limit_bytes=None, limit_files=None):
    """Runs barlow-data; its standard output, or standard error where it fails as expected (None: 0 or 1)."""
    command = [BARLOW_DATA, *map(str, arguments)]
    if ranks:
        command = [MPIEXEC, "-n", str(ranks), *command]
    if limit_bytes is not None:
        command = ["bash", "-c", f"ulimit -f {limit_bytes // 1024}; trap '' XFSZ; exec \"$@\"", "-", *command]
    if limit_files is not None:
        command = ["bash", "-c", f"ulimit -S -n {limit_files}; exec \"$@\"", "-", *command]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode in ((0, 1) if expect is None else (expect,)), f"{command}\nreturned {result.returncode}, not {expect}\n{result.stdout}{result.stderr}"
    return result.stdout if result.returncode == 0 else result.stderr


def photo(width, height, seed=0):
    """Smooth colours with detail, [height, width, 3] u8."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    noise = random.normal(0, 12, (height, width, 3))
    return np.clip(np.asarray(small) + noise, 0, 255).astype(np.uint8)


def write_class_folders(root, num_classes=3, num_images=4):
    for c in range(num_classes):
        (root / f"class_{c}").mkdir(parents=True)
        for i in range(num_images):
            name, image = root / f"class_{c}" / f"image_{i}", Image.fromarray(photo(40 + 3 * i, 30 + c, 10 * c + i))
            image.save(f"{name}.png") if i == 1 else image.save(f"{name}.JPEG", quality=90)
    return root
