#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks who includes whom, and that files stay readable in one sitting."""
import pathlib
import re
import sys

# A module may include itself and those listed with it.
MAY_INCLUDE = {
    "base": [],
    "tensor": ["base"],
    "backend": ["base", "tensor"],
    "comm": ["base", "tensor"],
    "data": ["base", "tensor"],
    "nn": ["base", "tensor", "backend", "comm"],
    "ssl": ["base", "tensor", "backend", "comm", "nn"],
    "optim": ["base", "tensor", "backend", "comm", "nn"],
}
MAY_INCLUDE["train"] = [*MAY_INCLUDE, "ssl", "optim"]
MAY_INCLUDE["evaluate"] = [*MAY_INCLUDE]
MAY_INCLUDE["report"] = [*MAY_INCLUDE]
MAY_INCLUDE["app"] = [*MAY_INCLUDE]
TOOLS_MAY_INCLUDE = ["base", "tensor", "data", "comm"]  # data_tools link no device library

VENDOR = re.compile(r"(cudnn|cublas|cuda|dnnl|nccl|hdf5|turbojpeg|jpeglib|png|CLI|nlohmann|spdlog|fmt)\b")
MAX_LINES = {".hpp": 200, ".cpp": 400, ".py": 400, ".sh": 200}

problems = []
root = pathlib.Path(__file__).resolve().parents[2]


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        if match:
            yield number, match.group(1)


def check_module(path, module, allowed):
    for number, name in includes(path):
        match = re.match(r"barlow/(\w+)/", name)
        if match and match.group(1) != module and match.group(1) not in allowed:
            problems.append(f"{path.relative_to(root)}:{number}: {module} may not include {name}")


for module, allowed in MAY_INCLUDE.items():
    for folder in (root / "include/barlow" / module, root / "src" / module):
        for path in [*folder.rglob("*.hpp"), *folder.rglob("*.cpp")]:
            check_module(path, module, allowed)
for path in [*(root / "data_tools").glob("*.?pp")]:
    check_module(path, "data_tools", TOOLS_MAY_INCLUDE)

for path in (root / "include").rglob("*.hpp"):
    for number, name in includes(path):
        is_mpi = name == "mpi.h" and not (path.parent.name == "comm" and path.name.startswith("mpi_"))
        if is_mpi or VENDOR.match(name.split("/")[-1]) or VENDOR.match(name.split("/")[0]):
            problems.append(f"{path.relative_to(root)}:{number}: a public header includes {name}")

for folder in ("include", "src", "data_tools", "tests", "bench", "jobs"):
    for path in (root / folder).rglob("*"):
        limit = MAX_LINES.get(path.suffix)
        if limit is None or not path.is_file():
            continue
        lines = path.read_text().splitlines()
        if len(lines) > limit:
            problems.append(f"{path.relative_to(root)}: {len(lines)} lines, at most {limit}")
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in lines[:3]):
            problems.append(f"{path.relative_to(root)}: no SPDX line")

for module in MAY_INCLUDE:
    if not (root / "src" / module).is_dir():
        problems.append(f"src/{module} is missing: this check knows a module that is not there")

print("\n".join(problems) or "includes, sizes and licences are as they should be")
sys.exit(1 if problems else 0)
