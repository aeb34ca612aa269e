# SPDX-License-Identifier: Apache-2.0
"""The checks find what they are for: each is given a small tree with one fault, and a tree without."""
import contextlib
import io
import sys
import tempfile
from pathlib import Path

import check_headers
import check_layers
import check_modes
import check_sizes

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"


def run(check, tree, *arguments):
    """(exit code, output) of a check on a tree {path: text}."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as output:
        for path, text in tree.items():
            full = Path(folder) / path
            full.parent.mkdir(parents=True, exist_ok=True)
            full.write_text(text if text.startswith("#!") else SPDX + text)
        return check.main(Path(folder), *arguments), output.getvalue()


GOOD = {"include/barlow/base/a.hpp": "#pragma once\n#include <string>\nstd::string a();\n",
        "include/barlow/tensor/b.hpp": '#pragma once\n#include "barlow/base/a.hpp"\n',
        "src/tensor/b.cpp": '#include "barlow/tensor/b.hpp"\n#include "own.hpp"\n', "src/tensor/own.hpp": ""}
FAULTS = [  # (check, what is added or changed, words of the message)
    (check_layers, {"src/base/a.cpp": '#include "barlow/tensor/b.hpp"\n'}, "base may not include tensor"),
    (check_layers, {"include/barlow/base/a.hpp": "#include <hdf5.h>\n"}, "<hdf5.h> in a public header"),
    (check_layers, {"include/barlow/tensor/c.hpp": "#include <mpi.h>\n"}, "<mpi.h> in a public header"),
    (check_layers, {"src/base/a.cpp": '#include "../tensor/own.hpp"\n'}, "private to tensor"),
    (check_layers, {"src/base/a.cpp": '#include "barlow/base/absent.hpp"\n'}, "does not exist"),
    (check_layers, {"src/new_module/a.cpp": ""}, "unknown module new_module"),
    (check_sizes, {"include/barlow/base/a.hpp": "\n" * 200}, "201 lines, at most 200"),
    (check_sizes, {"src/base/a.cpp": "\n" * 400}, "401 lines, at most 400"),
    (check_headers, {"include/barlow/base/a.hpp": "std::string a();\n"}, "a.hpp does not compile alone"),
    (check_modes, {"jobs/a.sh": "#!/bin/sh\n"}, "jobs/a.sh: chmod +x"),
]


def main(compiler):
    failures = []
    for check in (check_layers, check_sizes, check_headers, check_modes):
        code, output = run(check, GOOD, *([compiler] if check is check_headers else []))
        if code != 0:
            failures.append(f"{check.__name__} refuses a good tree: {output}")
    code, output = run(check_layers, {"include/barlow/comm/mpi_a.hpp": "#include <mpi.h>\n"})
    if code != 0:
        failures.append(f"mpi.h is allowed in comm/mpi_*.hpp: {output}")
    for check, fault, words in FAULTS:
        code, output = run(check, {**GOOD, **fault}, *([compiler] if check is check_headers else []))
        if code != 1 or words not in output:
            failures.append(f"{check.__name__}, {list(fault)}: exit {code}, expected \"{words}\" in: {output}")
    print("\n".join(failures) or f"{len(FAULTS)} faults found")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
