# SPDX-License-Identifier: GPL-2.0
"""Draws the figures with gnuplot: bars of rows, and lines against segments and payload."""
import subprocess
import sys

import figures

COLOURS = {"stock": "#8c959f", "base": "#d4a017", "series": "#0969da"}
DASHES = {"plain": 4, "gso": 1, "nocsum": 2, "nosg": 3, "device": 5}
HEAD = """
set terminal svg size {width},{height} font "sans,12" background "#ffffff" noenhanced
set output "{path}"
set grid ytics lc rgb "#d0d7de"
set border 3
set tics nomirror
set key {key}
set ylabel "instructions a datagram (not cycles)"
set multiplot layout 1,2
"""


def gnuplot(path, script, **head):
    script = HEAD.format(path=path, **head) + script + "unset multiplot\n"
    done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
    if done.returncode or done.stderr:
        sys.exit(f"error: gnuplot: {done.stderr.strip()}")


def block(name, rows):
    """A data block; a figure that is not there is NaN."""
    return "\n".join([f"${name} << EOD"] + [" ".join(
        f'"{v}"' if isinstance(v, str) else f"{v:.1f}" if v else "NaN" for v in row)
        for row in rows] + ["EOD", ""])


def bars(fig, path):
    rows = [row for row in fig.measured() if not row.truesize]
    script = "set style data histogram\nset style fill solid\nset boxwidth 0.9\nset yrange [0:*]\n"
    script += "set xtics rotate by 60 right\n"
    for family in figures.FAMILIES:
        script += block(f"v{family}", [[row.label] + [fig.each(k, row.name, family) for k in fig.kernels]
                                       for row in rows])
        script += f'set title "IPv{family}"\nplot ' + ", ".join(
            f'$v{family} using {i + 2}{":xtic(1)" if i == 0 else ""} title "{k}" lc rgb "{COLOURS[k]}"'
            for i, k in enumerate(fig.kernels)) + "\n"
    gnuplot(path, script, width=260 + 50 * len(rows), height=640, key="top right")


def lines(fig, path, curves, x, label):
    """curves: {name: rows}; x(row) places one."""
    script = f"set logscale x 2\nset yrange [0:*]\nset xlabel \"{label}\"\n"
    script += "set xtics (%s)\n" % ", ".join(map(str, sorted({x(r) for rows in curves.values() for r in rows})))
    for family in figures.FAMILIES:
        plots = []
        for name, rows in curves.items():
            for kernel in fig.kernels:
                points = [(x(row), fig.each(kernel, row.name, family)) for row in rows]
                if not any(y for _, y in points):
                    continue
                data = f"{name}_{kernel}_{family}"
                script += block(data, points)
                plots.append(f'${data} with linespoints title "{name} {kernel}" lc rgb "{COLOURS[kernel]}" '
                             f'dt {DASHES[name]} pt {DASHES[name]} ps 0.5')
        script += f'set title "IPv{family}"\nplot ' + ", ".join(plots) + "\n"
    gnuplot(path, script, width=1100, height=560, key="top right font ',9'")


def segments(fig, path):
    rows = [row for row in fig.measured() if row.size == 1452]
    curves = {g: [r for r in rows if r.group == g] for g in ("gso", "nocsum", "nosg", "device")}
    lines(fig, path, curves, lambda row: row.count, "datagrams of 1452 bytes in a send")


def payload(fig, path):
    rows = [row for row in fig.measured() if row.count == 4 or row.group == "plain"]
    curves = {g: [r for r in rows if r.group == g] for g in ("plain", "gso", "nocsum", "device")}
    lines(fig, path, curves, lambda row: row.size, "payload of a datagram, bytes; 4 in a send but for plain")
