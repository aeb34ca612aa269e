# SPDX-License-Identifier: Apache-2.0
"""Disks that are full: a message, the exit code, and nothing left behind."""
import subprocess

from tools import FOLDER, run


def check_full_disk():
    """Full at each place of a shard: among the pixels, in the metadata beside them, where they come together."""
    disk = FOLDER / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk], capture_output=True, check=False).returncode != 0:
        print("check_full_disk skipped: a small file system cannot be mounted here (needs root)")
        return
    try:
        for images in (40, *range(76, 96), 200):
            output = disk / "set.h5"
            error = run("synthesize", "--output", output, "--images", images, "--classes", 2, "--size", "64x64",
                        expect=0 if images == 40 else None)
            if not output.exists():
                assert "cannot write" in error and "make room" in error, (images, error)
            output.unlink(missing_ok=images > 40)
            assert not list(disk.iterdir()), (images, list(disk.iterdir()))
        assert "cannot write" in error, "no disk was full"
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


check_full_disk()
print("full disks are named")
