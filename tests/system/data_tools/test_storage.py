# SPDX-License-Identifier: Apache-2.0
"""Full disks, closed folders, and several packings at once: a message, the exit code, and nothing left behind."""
import fcntl
import os
import shutil
import subprocess
import time

from tools import BARLOW_DATA, FOLDER, run


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


def check_two_at_once():
    output, lock = FOLDER / "both.h5", FOLDER / "both.h5.lock"
    flags = ["--classes", "2", "--size", "64x64", "--encoding", "raw"]
    first = subprocess.Popen([BARLOW_DATA, "synthesize", "--output", output, "--images", "20000", *flags],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not (FOLDER / "both.h5.partial").exists():
            assert first.poll() is None and time.monotonic() < end, "the first packing does not begin"
            time.sleep(0.01)
        for ranks in 0, 2:
            error = run("synthesize", "--output", output, "--images", 4, *flags, expect=2, ranks=ranks)
            assert "another packing writes" in error and str(output) in error, error
        assert first.wait(120) == 0
    finally:
        first.kill()
    assert "20000 images, 0 bad" in run("verify", output)
    assert not list(FOLDER.glob("both.h5?*")), list(FOLDER.glob("both.h5?*"))

    lock.write_text("")  # as a packing leaves it that was killed; then one that is held
    run("synthesize", "--output", output, "--images", 4, *flags, "--overwrite")
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another packing" in run("synthesize", "--output", output, "--images", 4, *flags, "--overwrite", expect=2)
    run("synthesize", "--output", output, "--images", 4, *flags, "--overwrite")
    assert not lock.exists()


def check_closed_folder():
    """However many shards are to be written."""
    if os.geteuid() != 0:
        print("check_closed_folder skipped: needs root, to become another user")
        return
    FOLDER.chmod(0o755)
    closed = FOLDER / "closed"
    closed.mkdir(mode=0o555)
    program = shutil.copy(BARLOW_DATA, FOLDER)  # the checkout may be root's alone
    for shards in 1, 2:
        command = [program, "synthesize", "--output", closed / "set.h5", "--images", "4", "--classes", "2", "--size", "8x8",
                   "--shards", str(shards)]
        result = subprocess.run(command, capture_output=True, text=True, preexec_fn=lambda: os.setuid(65534))
        assert result.returncode == 2 and "Permission denied" in result.stderr and str(closed) in result.stderr, result


for check in check_full_disk, check_closed_folder, check_two_at_once:
    check()
print("full disks, closed folders and other packings are named")
