# SPDX-License-Identifier: GPL-2.0
"""Draws the figures with gnuplot: bars of rows, and lines against segments and payload."""
import subprocess
import sys

import figures

KERNELS = {"stock": ("#8c959f", 2), "base": ("#d4a017", 3), "series": ("#0969da", 1)}
CURVES = {"plain": "#24292f", "gso": "#0969da", "nocsum": "#cf222e", "nosg": "#bf8700", "device": "#1a7f37"}
HEAD = """
set terminal svg size {width},{height} font "sans,12" background "#ffffff" noenhanced
set output "{path}"
set grid {grid} lc rgb "#d0d7de"
set border 3
set tics nomirror
set key outside bottom center horizontal
set multiplot layout 1,2
"""
TITLE = 'set title "IPv{}, instructions a datagram (not cycles)"\nplot '


def gnuplot(path, script, **head):
    script = HEAD.format(path=path, **head) + script + "unset multiplot\n"
    done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
    if done.returncode or done.stderr:
        sys.exit(f"error: gnuplot: {done.stderr.strip()}")


def block(name, rows):
    """A data block; a figure that is not there is NaN."""
    return "\n".join([f"${name} << EOD"] + [" ".join(
        f'"{v}"' if isinstance(v, str) else "NaN" if v is None else f"{v:.1f}" for v in row)
        for row in rows] + ["EOD", ""])


def bars(fig, path):
    """A group of bars a row, from the top down."""
    rows = [row for row in fig.measured() if not row.held]
    step = len(fig.kernels) + 1
    script = f"set style fill solid\nset xrange [0:*]\nset xtics 2000\nset yrange [{-step * len(rows)}:1]\n"
    script += "set ytics (%s) font ',10'\n" % ", ".join(f'"{row.label}" {-step * i - step / 2 + 1}' for i, row in enumerate(rows))
    for family in figures.FAMILIES:
        plots = []
        for n, kernel in enumerate(fig.kernels):
            data = f"{kernel}_{family}"
            script += block(data, [(-step * i - n, fig.each(kernel, row.name, family))
                                   for i, row in enumerate(rows)])
            plots.append(f'${data} using 2:1:(0):2:($1-0.45):($1+0.45) with boxxyerror '
                         f'title "{kernel}" lc rgb "{KERNELS[kernel][0]}"')
        left, right = (0.34, 0.65) if family == 4 else (0.67, 0.98)
        script += f"set lmargin at screen {left}\nset rmargin at screen {right}\n"
        script += TITLE.format(family) + ", ".join(plots) + "\nset format y ''\nunset ytics\n"
    gnuplot(path, script, width=1240, height=160 + 12 * step * len(rows), grid="xtics")


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
                plots.append(f'${data} with linespoints title "{name}, {kernel}" '
                             f'lc rgb "{CURVES[name]}" dt {KERNELS[kernel][1]} pt 7 ps 0.3')
        script += TITLE.format(family) + ", ".join(plots) + "\n"
    gnuplot(path, script, width=1100, height=600, grid="ytics")


def segments(fig, path):
    rows = [row for row in fig.measured() if row.size == 1452]
    curves = {g: [r for r in rows if r.group == g] for g in ("gso", "nocsum", "nosg", "device")}
    lines(fig, path, curves, lambda row: row.count, "datagrams of 1452 bytes in a send")


def payload(fig, path):
    rows = sorted((row for row in fig.measured() if row.count == 4 or row.group == "plain"), key=lambda row: row.size)
    curves = {g: [r for r in rows if r.group == g] for g in ("plain", "gso", "nocsum", "device")}
    lines(fig, path, curves, lambda row: row.size, "payload of a datagram, bytes; 4 in a send but for plain")
