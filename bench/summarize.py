#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Results of bench/compare_step.py as a Markdown table: summarize.py [FILE...] (default: all of bench/results)."""
import json
import pathlib
import sys

files = [pathlib.Path(name) for name in sys.argv[1:]] or sorted((pathlib.Path(__file__).parent / "results").glob("*.json"))
print("| device, commit | batch | precision | ranks | views/s | fastest PyTorch | views/s | ratio |")
print("|---|---|---|---|---|---|---|---|")
for file in files:
    result = json.loads(file.read_text(encoding="utf-8"))
    for entry in result.get("whole_step", []):
        ratio = entry.get("ratio", entry["views_per_second"] / entry["peer_views_per_second"])
        print(f"| {result['device']}, {result['commit']} | {entry['batch']} | {entry['precision']} | {entry.get('ranks', 1)} | "
              f"{entry['views_per_second']:.2f} | {entry['peer']} | {entry['peer_views_per_second']:.2f} | {ratio:.2f} |")
