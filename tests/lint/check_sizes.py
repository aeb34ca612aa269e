# SPDX-License-Identifier: Apache-2.0
"""Files stay small: headers 200 lines, sources 400. Functions over 60 lines are named, not refused.

    check_sizes.py ROOT
"""
import re
import sys
from pathlib import Path

from sources import CPP, files, report

LIMITS = {".hpp": 200, ".cpp": 400, ".cuh": 200, ".cu": 400}
FUNCTION_LIMIT = 60
NOT_A_FUNCTION = re.compile(r"(inline )?(namespace|class|struct|enum|union|extern|constexpr|const|static const)\b")


def long_functions(lines):
    """(first line, length) of functions at the left margin, as clang-format leaves them."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("}") and start is not None:
            if number - start + 1 > FUNCTION_LIMIT:
                yield start, number - start + 1
            start = None
        elif line.endswith("{") and line[:1].strip() and not NOT_A_FUNCTION.match(line):
            start = number


def main(root):
    problems = []
    for full in files(root, CPP):
        lines = full.read_text().splitlines()
        path = full.relative_to(root)
        if len(lines) > LIMITS[full.suffix]:
            problems.append(f"{path}: {len(lines)} lines, at most {LIMITS[full.suffix]}; split it by responsibility")
        if not lines or "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
            problems.append(f"{path}: the first line is not the SPDX line")
        for start, length in long_functions(lines):
            print(f"warning: {path}:{start}: a function of {length} lines")
    return report(problems, "sizes")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
