#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: GPL-2.0
"""Figures of the benchmark: read and write them, for bench/report and bench/check.

As a program: turns the guest's output into the JSON of one kernel,
	bench/figures.py KERNEL KEY IMAGE <OUTPUT >JSON
"""
import hashlib
import json
import os
import re
import sys

BENCH = os.path.dirname(os.path.realpath(__file__))
KERNELS = ("stock", "base", "series")
FAMILIES = (4, 6)
UNIT = ("instructions of the guest, kernel and program; not cycles. "
        "Rates are at 10^9 instructions a second.")


class Case:
    """A line of bench/cases."""

    def __init__(self, line):
        name, burst, size, self.device, self.options, self.label = re.split("\t+", line)
        self.name, self.burst, self.size = name, int(burst), int(size)
        self.gso = "-S" in self.options
        self.plain = f"plain-{size}"


def cases():
    with open(os.path.join(BENCH, "cases"), encoding="utf-8") as f:
        return [Case(line) for line in f.read().splitlines() if line and line[0] != "#"]


class Figure:
    """One case over one family on one kernel. The guest's clock runs at 1 ns an
    instruction."""

    def __init__(self, row):
        self.row = row
        self.each = row["ns"] / row["datagrams"]
        seconds = row["ns"] / 1e9
        self.mbytes = row["bytes"] / 1e6 / seconds
        self.messages = row["datagrams"] / seconds
        self.calls = row["calls"] / seconds


class Figures:
    """kernels: what is known of each. Use get(kernel, case name, family)."""

    def __init__(self, paths):
        self.kernels, self.rows = {}, []
        for path in paths:
            with open(path, encoding="utf-8") as f:
                data = json.load(f)
            self.kernels.update(data["kernels"])
            self.rows += data["rows"]
        self.index = {(r["kernel"], r["case"], r["family"]): Figure(r)
                      for r in self.rows if "ns" in r}

    def get(self, kernel, case, family):
        return self.index.get((kernel, case, family))

    def dump(self, f):
        """One line a row: a difference between two results can be read."""
        f.write('{\n"unit": %s,\n"kernels": {\n' % json.dumps(UNIT))
        f.write(",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in self.kernels.items()))
        f.write('\n},\n"rows": [\n')
        f.write(",\n".join(json.dumps(r) for r in self.rows))
        f.write("\n]\n}\n")


def least(results):
    """The run that nothing interrupted: the other ones hold a tick of the timer or a worker."""
    row = min((json.loads(r) for r in results), key=lambda r: r["ns"])
    row["runs"] = len(results)
    return row


def from_guest(kernel, key, image, lines):
    """The Figures in the guest's output; every case must be there, as often as the others."""
    figures = Figures([])
    with open(image, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    word, _, version = lines.readline().strip().partition(" ")
    if word != "kernel":
        sys.exit(f"error: {kernel}: the output of the guest does not start with its version")
    figures.kernels[kernel] = {"version": version, "image": digest, "key": key}
    results = {}
    for line in lines:
        name, family, result = line.strip().split(" ", 2)
        results.setdefault((name, int(family)), []).append(result)
    wanted = [(c.name, f) for c in cases() for f in FAMILIES]
    if set(wanted) != set(results):
        sys.exit(f"error: {kernel}: cases wanted and not measured, or the reverse: "
                 f"{sorted(set(wanted) ^ set(results))}")
    if len({len(runs) for runs in results.values()}) != 1:
        sys.exit(f"error: {kernel}: some cases were measured more often than others")
    for name, family in wanted:
        runs = results[name, family]
        figures.rows.append({"kernel": kernel, "case": name, "family": family} | (
            {"unsupported": True} if "unsupported" in runs else least(runs)))
    return figures


if __name__ == "__main__":
    from_guest(*sys.argv[1:4], sys.stdin).dump(sys.stdout)
