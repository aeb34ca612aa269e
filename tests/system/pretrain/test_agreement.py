# SPDX-License-Identifier: Apache-2.0
"""Ranks that were started differently, or see other files: refused at the start with one message that names the rank, not a hang."""
import socket

from program import BARLOW, BARLOW_DATA, DATA, FOLDER, MPIEXEC, command, make_images, run


def apart(first, second):
    """One job of two ranks, each with a command line of its own."""
    return [MPIEXEC, "-n", "1", *first, ":", "-n", "1", *second]


def refused(first, second, *naming):
    errors = run(apart(first, second), expect=2, seconds=60)
    for text in ("[rank 1 of 2, " + socket.gethostname(), *naming):
        assert str(text) in errors, f"the message does not name {text}:\n{errors}"
    assert errors.count("error:") == 1, f"not one message:\n{errors}"


def ranks(output, **flags):
    """Rank 0 with the model's flags, rank 1 with others."""
    return command(FOLDER / output, 0), command(FOLDER / output, 0, **flags)


def check_command_lines():
    here = FOLDER / "here.toml"
    here.write_text("seed = 3\n")
    lacking = FOLDER / "not-on-this-node.toml"
    refused(command(FOLDER / "lacking", 0, config=here), command(FOLDER / "lacking", 0, config=lacking), lacking)
    broken = FOLDER / "broken.toml"
    broken.write_text("seed = [\n")
    refused(command(FOLDER / "lacking", 0, config=here), command(FOLDER / "lacking", 0, config=broken), "--help")
    refused(*ranks("lacking", preset="no-such-preset"), "no-such-preset")
    assert not (FOLDER / "lacking").exists(), "a refused job leaves a run folder"
    pixels = [BARLOW, "evaluate", "knn", "--raw-pixels", "--train", DATA, "--test", DATA, "--image-size"]
    refused([*pixels, "12"], [*pixels, "many"], "--image-size")
    refused([BARLOW_DATA, "info", DATA], [BARLOW_DATA, "info", DATA, "--jsom"], "--jsom")


make_images()
for check in (check_command_lines,):
    check()
    print(f"{check.__name__} passed", flush=True)
