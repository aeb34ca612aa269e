# SPDX-License-Identifier: Apache-2.0
"""What --version says of the commit is looked up by each build, and nothing is compiled again where it is the same.

test_commit.py CMAKE BIN_FOLDER PROJECT
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

CMAKE, BINARIES, PROJECT = sys.argv[1:4]
if shutil.which("git") is None:
    print("skipped: no git")
    sys.exit(77)


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, timeout=30).stdout


def check_commit(folder):
    sources, file = folder / "sources", folder / "version.cpp"
    sources.mkdir()
    git = "git", "-C", sources, "-c", "user.name=test", "-c", "user.email=test@localhost"

    def written(git_program="git"):
        output(CMAKE, f"-DGIT={git_program}", f"-DPROJECT={sources}", "-DBARLOW_VERSION=1.2.3", f"-DOUTPUT={file}", "-P", f"{PROJECT}/src/cli/commit.cmake")
        return file.read_text(), file.stat().st_mtime_ns

    def commit():
        output(*git, "commit", "--quiet", "--allow-empty", "--message", "empty")
        return output(*git, "rev-parse", "--short", "HEAD").strip()

    output(*git, "init", "--quiet")
    first = commit()
    before = written()
    assert f'"1.2.3 ({first})"' in before[0] and written() == before, before
    second = commit()
    assert first != second and f'"1.2.3 ({second})"' in written()[0], written()
    assert '"1.2.3 (unknown commit)"' in written("GIT_EXECUTABLE-NOTFOUND")[0], written()


with tempfile.TemporaryDirectory(prefix="barlow-commit-") as name:
    check_commit(pathlib.Path(name))
ours, tools = (output(f"{BINARIES}/{program}", "--version").splitlines()[0].split(" ", 1)[1] for program in ("barlow", "barlow-data"))
assert ours == tools and ours.endswith(")"), f"barlow {ours}, barlow-data {tools}"
print(ours)
