# SPDX-License-Identifier: GPL-2.0
"""Plots the figures with gnuplot: bars of some rows, and curves against the number of datagrams and the payload."""
import subprocess
import sys

import figures

LABEL = "instructions per datagram\\n(lower is better)"
KERNELS = {"stock": ("#8c959f", 2), "series": ("#0969da", 1)}  # color of bars, dash type of curves
BARS = ("plain-1452", "gso-44x1452", "nocsum-44x1452", "nosg-44x1452", "uso-44x1452")
CURVES = {"plain": "#24292f", "gso": "#0969da", "nocsum": "#cf222e", "uso": "#1a7f37"}
HEAD = """
set terminal svg size {width},{height} font "sans,13" background "#ffffff" noenhanced
set output "{path}"
set grid {grid} lc rgb "#d0d7de"
set border 3
set tics nomirror
set multiplot layout 1,2
set bmargin at screen {bottom}
set tmargin at screen {top}
set key at screen 0.5,screen 0.01 center bottom vertical Left reverse
"""


def gnuplot(path, script, **head):
    script = HEAD.format(path=path, **head) + script + "unset multiplot\n"
    done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
    if done.returncode or done.stderr:
        sys.exit(f"error: gnuplot: {done.stderr.strip()}")


def block(name, rows):
    """A gnuplot data block; a missing figure is NaN."""
    return "\n".join([f"${name} << EOD"] + [" ".join("NaN" if v is None else f"{v:.1f}" for v in row)
                                           for row in rows] + ["EOD", ""])


def top(fig, rows):
    """The upper end of the axis, for both families."""
    values = [fig.each(k, row.name, f) for k in KERNELS for row in rows for f in figures.FAMILIES]
    return 1.05 * max((v for v in values if v), default=1)


def panel(family, left, right, plots):
    """The plot of one family. Only the first plot has the legend."""
    return (f"set lmargin at screen {left}\nset rmargin at screen {right}\n"
            f'set title "IPv{family}"\nplot ' + ", ".join(plots) + "\nunset key\n")


def bars(fig, path):
    """A group of bars for each row, from the top down."""
    rows = [row for row in fig.measured() if row.name in BARS]
    rows.sort(key=lambda row: BARS.index(row.name))
    step = len(KERNELS) + 1
    script = f'set style fill solid\nset xrange [0:{top(fig, rows)}]\nset xtics 1000\nset xlabel "{LABEL}"\n'
    script += f"set yrange [{-step * len(rows)}:1]\n"
    script += "set ytics (%s)\n" % ", ".join(
        '"%s" %s' % (row.label.replace(f"{row.path}, ", f"{row.path},\\n"), -step * i - step / 2 + 1) for i, row in enumerate(rows))
    for family, left, right in zip(figures.FAMILIES, (0.36, 0.7), (0.65, 0.99)):
        plots = []
        for n, kernel in enumerate(KERNELS):
            data = f"{kernel}_{family}"
            script += block(data, [(-step * i - n, fig.each(kernel, row.name, family))
                                   for i, row in enumerate(rows)])
            plots.append(f'${data} using 2:1:(0):2:($1-0.45):($1+0.45) with boxxyerror '
                         f'title "{kernel}" lc rgb "{KERNELS[kernel][0]}"')
        script += panel(family, left, right, plots) + "unset ytics\n"
    gnuplot(path, script, width=1000, height=440, grid="xtics", bottom=0.3, top=0.9)


def lines(fig, path, curves, x, label, ticks):
    """curves: {group: rows}; x: a function that returns the position of a row."""
    script = f'set logscale x 2\nset yrange [0:{top(fig, sum(curves.values(), []))}]\nset xlabel "{label}"\n'
    script += "set xtics (%s)\n" % ", ".join(map(str, ticks))
    for family, left, right, y in zip(figures.FAMILIES, (0.09, 0.57), (0.51, 0.99), (LABEL, "")):
        plots = []
        for group, rows in curves.items():
            for kernel, (_, dash) in KERNELS.items():
                points = [(x(row), fig.each(kernel, row.name, family)) for row in rows]
                if not any(value for _, value in points):
                    continue
                data = f"{group}_{kernel}_{family}"
                script += block(data, points)
                plots.append(f'${data} with linespoints title "{rows[0].path}, {kernel}" '
                             f'lc rgb "{CURVES[group]}" lw 1.5 dt {dash} pt 7 ps 0.4')
        script += f'set ylabel "{y}"\n' + panel(family, left, right, plots)
    legend = 20 * len(plots)
    height = 480 + legend
    gnuplot(path, script, width=1100, height=height, grid="ytics", bottom=(legend + 90) / height, top=1 - 40 / height)


def segments(fig, path):
    rows = [row for row in fig.measured() if row.size == 1452]
    curves = {g: [r for r in rows if r.group == g] for g in CURVES if g != "plain"}
    lines(fig, path, curves, lambda row: row.count, "datagrams of 1452 bytes per send", (1, 2, 4, 8, 16, 44))


def payload(fig, path):
    rows = sorted((row for row in fig.measured() if row.count == 4 or row.group == "plain"), key=lambda row: row.size)
    curves = {g: [r for r in rows if r.group == g] for g in CURVES}
    lines(fig, path, curves, lambda row: row.size, "payload per datagram in bytes\\n(UDP_SEGMENT: 4 datagrams per send)",
          (64, 128, 256, 512, 1024, 2048, 4096, 8192))
