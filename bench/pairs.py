#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: GPL-2.0
"""Prints the ratios of the times that bench/pairs measured, and writes them to JSON.

bench/pairs.py FILE JSON TREE TREE COMMAND CPU

FILE has lines "PAIR KERNEL ROW FAMILY PICOSECONDS". TREE is the git tree of stock and of series.
COMMAND and CPU describe the measurement.
"""
import statistics
import sys

import figures

KERNELS = ("stock", "series")


def read(path):
    """{(row, family): {kernel: {pair: picoseconds}}}"""
    found = {}
    with open(path, encoding="ascii") as f:
        for line in f:
            pair, kernel, row, family, time = line.split()
            times = found.setdefault((row, int(family)), {k: {} for k in KERNELS})
            times[kernel][int(pair)] = int(time)
    return found


def summary(row, family, times):
    stock, series = (times[k] for k in KERNELS)
    if not stock or stock.keys() != series.keys():
        sys.exit(f"error: {row}, IPv{family}: a pair does not have the times of both kernels")
    ratios = sorted(series[pair] / stock[pair] for pair in stock)
    low, median, high = (statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3)
    return {"kernel": "series", "case": row, "family": family, "pairs": len(ratios),
            "ratio": round(median, 4), "quartiles": [round(low, 4), round(high, 4)],
            "range": [round(ratios[0], 4), round(ratios[-1], 4)],
            "picoseconds": {k: statistics.median(times[k].values()) for k in KERNELS}}


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    fig = figures.Figures([])
    fig.set = "time"
    fig.kernels = {k: {"tree": tree} for k, tree in zip(KERNELS, sys.argv[3:5])}
    fig.unit = "picoseconds per segment, native time"
    fig.source = {"command": sys.argv[5], "cpu": sys.argv[6]}
    fig.rows = [summary(*key, times) for key, times in read(sys.argv[1]).items()]
    if not fig.rows:
        sys.exit(f"error: {sys.argv[1]} is empty")
    print("Native time of software segmentation, ns per segment (medians), and ratio of series to stock in a pair")
    for row in fig.rows:
        stock, series = (row["picoseconds"][k] / 1000 for k in KERNELS)
        print(f"{row['case']}, IPv{row['family']}: stock {stock:.1f}, series {series:.1f}; ratio "
              f"{row['ratio']:.3f}, quartiles {row['quartiles'][0]:.3f} to {row['quartiles'][1]:.3f}, "
              f"range {row['range'][0]:.3f} to {row['range'][1]:.3f}, {row['pairs']} pairs")
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        fig.dump(f)


if __name__ == "__main__":
    main()
