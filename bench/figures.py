#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: GPL-2.0
"""Rows and figures of the benchmark, for the programs beside it.

As a program:
	bench/figures.py list SET|ROW...		the rows as bench/guest reads them
	bench/figures.py json SET KERNEL META <OUTPUT	the guest's output as JSON; META: JSON of the kernel
"""
import fnmatch
import json
import os
import re
import sys

BENCH = os.path.dirname(os.path.realpath(__file__))
KERNELS = ("stock", "base", "series")
FAMILIES = (4, 6)
RESULTS = os.path.join(BENCH, "results")  # SET.json
PAYLOAD_MAX = 65507
UNIT = ("instructions of the guest, kernel and program; not cycles. "
        "Rates are at 10^9 instructions a second.")
UNSUPPORTED = "unsupported"


def lines(name):
    """The lines of a table, without comments."""
    with open(os.path.join(BENCH, name), encoding="utf-8") as f:
        return [re.split("\t+", line) for line in f.read().splitlines() if line and line[0] != "#"]


class Row:
    def __init__(self, group, device, payload, count, options, label):
        self.group, self.device, self.size, self.count = group, device, payload, count
        self.gso = options.endswith("-S")
        self.burst = payload * count
        self.options = f"{options} {payload}"
        single = not self.gso and "-m" not in options
        self.name = f"{group}-{payload}" if single else f"{group}-{count}x{payload}"
        self.label = label + (f", {payload} bytes" if single else f", {count} x {payload}")
        self.plain = f"plain-{payload}"
        self.held = "-H" in options or "-P" in options


def table():
    """All rows by name, and the patterns of each set."""
    rows, sets = {}, {}
    for fields in lines("rows"):
        if fields[0][0] == "@":
            sets[fields[0][1:]] = fields[1].split()
            continue
        group, device, payloads, counts, options, label = fields
        for payload in map(int, payloads.split()):
            for count in map(int, counts.split()):
                row = Row(group, device, payload, count, options, label)
                if not row.gso or row.burst <= PAYLOAD_MAX:
                    rows[row.name] = row
    return rows, sets


def select(names):
    """The rows of these sets and patterns, in the order of the table."""
    rows, sets = table()
    wanted = set()
    for name in names:
        for pattern in sets.get(name, [name]):
            found = fnmatch.filter(rows, pattern)
            if not found:
                sys.exit(f"error: no row {pattern} in bench/rows")
            wanted.update(found)
    return [row for row in rows.values() if row.name in wanted]


class Figure:
    """One row over one family on one kernel. The guest's clock runs at 1 ns an
    instruction."""

    def __init__(self, row):
        self.row = row
        held = row.get("truesize", row.get("memory"))
        self.held = None if held is None else held / row["datagrams"]
        self.each = row["ns"] / row["datagrams"] if "ns" in row else None
        if self.each:
            seconds = row["ns"] / 1e9
            self.mbytes = row["bytes"] / 1e6 / seconds
            self.messages = row["datagrams"] / seconds
            self.calls = row["calls"] / seconds


class Figures:
    """kernels: what is known of each. Use get(kernel, row's name, family)."""

    def __init__(self, paths):
        self.kernels, self.rows, self.set = {}, [], None
        for path in paths:
            with open(path, encoding="utf-8") as f:
                data = json.load(f)
            self.set = data.get("set")
            self.kernels.update(data["kernels"])
            self.rows += data["rows"]
        self.index = {(r["kernel"], r["case"], r["family"]): Figure(r)
                      for r in self.rows if {"ns", "truesize", "memory"} & r.keys()}

    def get(self, kernel, case, family):
        return self.index.get((kernel, case, family))

    def each(self, kernel, case, family):
        figure = self.get(kernel, case, family)
        return figure and figure.each

    def copy(self, family):
        """Instructions a datagram that copy the payload, of bench/profile."""
        figure = self.get("stock", "gso-44x1452", family)
        return figure and figure.row.get("copy")

    def time(self, case, family):
        """The median ratio of bench/pairs."""
        return next(r["ratio"] for r in self.rows if (r["case"], r["family"]) == (case, family))

    def names(self):
        return list(dict.fromkeys(r["case"] for r in self.rows))

    def measured(self):
        """The rows of the table that are in here."""
        names = set(self.names())
        return [row for row in table()[0].values() if row.name in names]

    def dump(self, f):
        """One line a row: a difference between two results can be read."""
        f.write('{\n"unit": %s,\n"set": %s,\n"kernels": {\n' % (json.dumps(UNIT), json.dumps(self.set)))
        f.write(",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in self.kernels.items()))
        f.write('\n},\n"rows": [\n')
        f.write(",\n".join(json.dumps(r) for r in self.rows))
        f.write("\n]\n}\n")


def least(results):
    """The one that nothing interrupted: the other ones hold a tick of the timer or a worker."""
    row = min((json.loads(r) for r in results), key=lambda r: r.get("ns", r.get("memory", 0)))
    row["rounds"] = len(results)
    return row


def from_guest(name, kernel, meta, output):
    """The Figures in the guest's output; every row must be there, as often as the others."""
    figures = Figures([])
    figures.set = name
    word, _, version = output.readline().strip().partition(" ")
    if word != "kernel":
        sys.exit(f"error: {kernel}: the output of the guest does not start with its version")
    figures.kernels[kernel] = {"version": version} | json.loads(meta)
    results = {}
    for line in output:
        if line == f"kernel {version}\n":  # another boot
            continue
        row, family, result = line.strip().split(" ", 2)
        results.setdefault((row, int(family)), []).append(result)
    wanted = [(r.name, f) for r in select(name.split()) for f in FAMILIES]
    if set(wanted) != set(results):
        sys.exit(f"error: {kernel}: rows wanted and not measured, or the reverse: "
                 f"{sorted(set(wanted) ^ set(results))}")
    if len({len(runs) for runs in results.values()}) != 1:
        sys.exit(f"error: {kernel}: some rows were measured more often than others")
    for row, family in wanted:
        runs = results[row, family]
        figures.rows.append({"kernel": kernel, "case": row, "family": family} | (
            {UNSUPPORTED: True} if runs[0] == UNSUPPORTED else least(runs)))
    return figures


def main():
    if sys.argv[1:2] == ["list"] and sys.argv[2:]:
        for row in select(sys.argv[2:]):
            print(row.name, row.burst, row.size, row.device, row.options, sep="\t")
    elif sys.argv[1:2] == ["json"] and len(sys.argv) == 5:
        from_guest(*sys.argv[2:], sys.stdin).dump(sys.stdout)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
