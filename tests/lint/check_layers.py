# SPDX-License-Identifier: Apache-2.0
"""Who includes whom: a module may include those that ALLOWED names, and nobody's private headers.

Public headers (include/barlow) show the standard library only; mpi.h is the exception, in comm/mpi_*.hpp.
    check_layers.py ROOT
"""
import re
import sys
from pathlib import Path

from sources import CPP, files, report

DEVICE = {"base", "tensor", "pixels", "backend", "comm"}
MODEL = DEVICE | {"nn"}
TRAINING = MODEL | {"data", "ssl", "optim", "train"}
ALLOWED = {
    "base": set(),
    "tensor": {"base"},
    "pixels": {"base"},
    "backend": {"base", "tensor", "pixels"},
    "comm": {"base", "tensor", "backend"},
    "cli": {"base", "comm"},
    "data": {"base", "tensor", "pixels"},
    "nn": DEVICE,
    "ssl": MODEL,
    "optim": MODEL,
    "train": TRAINING,
    "evaluate": TRAINING,
    "report": TRAINING,
    "app": TRAINING | {"cli", "evaluate", "report"},
    "data_tools": {"base", "tensor", "data", "comm", "cli"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def module_of(path):
    """src/nn/a.cpp and include/barlow/nn/a.hpp belong to nn; data_tools to itself; others to nobody."""
    parts = path.parts
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "barlow") and len(parts) > 3:
        return parts[2]
    return parts[0] if parts[0] == "data_tools" else None


def check_include(root, path, module, is_angle, header):
    """What is wrong with one include, or None."""
    public = path.parts[0] == "include"
    if header.startswith("barlow/"):
        other = Path(header).parts[1]
        if other != module and other not in ALLOWED[module]:
            return f"{module} may not include {other} ({header})"
        return None if (root / "include" / header).is_file() else f"{header} does not exist"
    if not is_angle:
        if public:
            return f'"{header}": a public header includes public headers, as "barlow/..."'
        if module == "comm" and path.name.startswith("nccl_") and header.startswith("backend/cuda/"):
            return None  # NCCL works in the device's stream
        target = (root / path).parent / header
        home = root / ("data_tools" if module == "data_tools" else f"src/{module}")
        return None if target.is_file() or (home / header).is_file() else f'"{header}" is no private header of {module}'
    is_mpi_header = module == "comm" and path.name.startswith("mpi_") and header == "mpi.h"
    if public and not re.fullmatch(r"[a-z0-9_]+", header) and not is_mpi_header:
        return f"<{header}> in a public header: only the standard library's C++ headers belong there"
    return None


def check_target(root, path, module, header):
    """A relative include must not climb into another module."""
    target = ((root / path).parent / header).resolve()
    try:
        other = module_of(target.relative_to(root.resolve()))
    except ValueError:
        return f'"{header}" lies outside the project'
    return f'"{header}" is private to {other}' if target.is_file() and other not in (None, module) else None


def main(root):
    problems = []
    for full in files(root, CPP, ("include", "src", "data_tools")):
        path = full.relative_to(root)
        module = module_of(path)
        if module not in ALLOWED:
            problems.append(f"{path}: unknown module {module}; say in check_layers.py what it may include")
            continue
        for number, line in enumerate(full.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            is_angle, header = match[1] == "<", match[2]
            problem = check_include(root, path, module, is_angle, header)
            if problem is None and not is_angle and not header.startswith("barlow/"):
                problem = check_target(root, path, module, header)
            if problem:
                problems.append(f"{path}:{number}: {problem}")
    return report(problems, "include directions")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
