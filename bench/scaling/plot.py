# SPDX-License-Identifier: Apache-2.0
"""Lines of the scaling benchmark as a picture, in plain SVG: images/s over ranks beside the ideal, and where a step's time goes."""
import math

WIDTH, HEIGHT, LEFT, TOP = 380, 260, 60, 40
COLOURS = {"input_wait": "#8c564b", "agreement": "#c49c94", "upload": "#17becf", "forward": "#1f77b4", "backward": "#6baed6",
           "batch_norm_exchange": "#ff7f0e", "embedding_gather": "#ffbb78", "gradient_reduction": "#d62728", "loss": "#2ca02c", "lars": "#9467bd",
           "other": "#7f7f7f"}


def text(x, y, words, anchor="start", size=11):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'


def line(points, colour, dash=""):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'


def rate_panel(entries, left, top):
    """images/s over ranks, both logarithmic."""
    ranks = [entry["ranks"] for entry in entries]
    rates = [entry["images_per_second"] for entry in entries]
    ideal = [rates[0] * n / ranks[0] for n in ranks]
    low, high = min(rates + ideal), max(rates + ideal)

    def at(n, rate):
        x = math.log(n / ranks[0]) / max(math.log(ranks[-1] / ranks[0]), 1e-9)
        y = math.log(rate / low) / max(math.log(high / low), 1e-9)
        return left + 12 + x * (WIDTH - 40), top + HEIGHT - 12 - y * (HEIGHT - 30)

    parts = [line([at(n, rate) for n, rate in zip(ranks, ideal)], "#999999", "4 3"), line([at(n, rate) for n, rate in zip(ranks, rates)], "#1f77b4")]
    for entry in entries:
        x, y = at(entry["ranks"], entry["images_per_second"])
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1f77b4"/>', text(x, top + HEIGHT + 14, entry["ranks"], "middle"),
                  text(x, y + 18, f"{entry['images_per_second']:.4g}/s, {100 * entry['efficiency']:.0f} %", "middle")]
    return parts


def phase_panel(entries, left, top):
    """A bar for each number of ranks: seconds per step by phase."""
    longest = max(sum(entry["phases"][name]["seconds"] for name in COLOURS) for entry in entries)
    slot = WIDTH / len(entries)
    parts = []
    for i, entry in enumerate(entries):
        y = top + HEIGHT
        x = left + i * slot + slot * 0.2
        for name, colour in COLOURS.items():
            height = entry["phases"][name]["seconds"] / longest * (HEIGHT - 20)
            y -= height
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{slot * 0.6:.1f}" height="{height:.2f}" fill="{colour}">'
                         f'<title>{name} {entry["phases"][name]["seconds"]:.4g} s</title></rect>')
        parts += [text(x + slot * 0.3, y - 4, f"{entry['seconds_per_step']:.3g} s", "middle"),
                  text(x + slot * 0.3, top + HEIGHT + 14, entry["ranks"], "middle")]
    return parts


def scaling_plot(entries):
    kinds = [kind for kind in ("weak", "strong") if any(entry["kind"] == kind for entry in entries)]
    parts = []
    for row, kind in enumerate(kinds):
        chosen = sorted((entry for entry in entries if entry["kind"] == kind), key=lambda entry: entry["ranks"])
        top = TOP + row * (HEIGHT + 70)
        parts += [text(LEFT, top - 10, f"{kind} scaling: images/s by ranks (dashed: ideal)", size=13), *rate_panel(chosen, LEFT, top),
                  text(LEFT + WIDTH + 40, top - 10, "seconds per step by ranks", size=13), *phase_panel(chosen, LEFT + WIDTH + 40, top)]
    for i, (name, colour) in enumerate(COLOURS.items()):
        x, y = LEFT + 2 * WIDTH + 60, TOP + 20 * i
        parts += [f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>', text(x + 18, y + 10, name)]
    width, height = LEFT + 2 * WIDTH + 220, TOP + len(kinds) * (HEIGHT + 70)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")
