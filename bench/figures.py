#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: GPL-2.0
"""The rows and the figures of the benchmark, for the other programs in this folder.

As a program:
	bench/figures.py list SET|ROW...		prints the rows in the format that bench/guest reads
	bench/figures.py json SET KERNEL META <OUTPUT	converts the output of bench/guest to JSON;
							META: JSON that describes the kernel
"""
import fnmatch
import json
import os
import re
import sys

BENCH = os.path.dirname(os.path.realpath(__file__))
KERNELS = ("stock", "base", "series")
FAMILIES = (4, 6)
TARGET = os.environ.get("TARGET", "6.12")
TARGET_DIR = os.path.join(BENCH, "..", "targets", TARGET)
RESULTS = os.path.join(BENCH, "results", *([] if TARGET == "6.12" else [TARGET]))  # SET.json
PAYLOAD_MAX = 65507
UNIT = ("ns: instructions of the guest, kernel and program; not cycles. "
        "Rates are at 10^9 instructions per second.")
UNSUPPORTED = "unsupported"


def lines(name, folder=BENCH):
    """The fields of each line of a table, without comments."""
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return [re.split("\t+", line) for line in f.read().splitlines() if line and line[0] != "#"]


class Row:
    def __init__(self, group, device, payload, count, options, plain, label):
        self.group, self.device, self.size, self.count = group, device, payload, count
        self.gso = options.endswith("-S")
        self.burst = payload * count
        self.options = f"{options} {payload}"
        single = not self.gso and "-m" not in options
        self.name = f"{group}-{payload}" if single else f"{group}-{count}x{payload}"
        self.path = label
        self.label = label + (f", {payload} bytes" if single else f", {count} x {payload} bytes")
        self.plain = None if plain == "-" else f"{plain}-{payload}"
        self.queued = "-H" in options or "-P" in options


def table():
    """All rows by name, and the patterns of each set."""
    rows, sets = {}, {}
    for fields in lines("rows"):
        if fields[0][0] == "@":
            sets[fields[0][1:]] = fields[1].split()
            continue
        group, device, payloads, counts, options, plain, label = fields
        for payload in map(int, payloads.split()):
            for count in map(int, counts.split()):
                row = Row(group, device, payload, count, options, plain, label)
                if not row.gso or row.burst <= PAYLOAD_MAX:
                    rows[row.name] = row
    return rows, sets


def select(names):
    """The rows of these sets and patterns, in the order of bench/rows."""
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
    """One row over one family on one kernel. The guest's clock advances by 1 ns per instruction.

    each: instructions per datagram; queued: bytes of memory per datagram; path: instructions per datagram without
    encryption and copies of the payload, if they were counted
    """

    def __init__(self, row):
        self.row = row
        queued = row.get("truesize", row.get("memory"))
        self.queued = None if queued is None else queued / row["datagrams"]
        self.each = row["ns"] / row["datagrams"] if "ns" in row else None
        self.path = self.each - row["crypto"] if self.each and "crypto" in row else None
        if self.each:
            seconds = row["ns"] / 1e9
            self.mbytes = row["bytes"] / 1e6 / seconds
            self.messages = row["datagrams"] / seconds
            self.calls = row["calls"] / seconds


class Figures:
    """The figures of one or more JSON files.

    kernels: a description of each kernel; source: how native time was measured
    """


    def __init__(self, paths):
        self.kernels, self.rows, self.set = {}, [], None
        self.unit, self.source = UNIT, {}
        for path in paths:
            with open(path, encoding="utf-8") as f:
                data = json.load(f)
            self.set = data.get("set")
            self.unit = data["unit"]
            self.source = data.get("source", {})
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
        """The instructions per datagram of the payload copy."""
        figure = self.get("stock", "gso-44x1452", family)
        return figure and figure.row.get("copy")

    def time(self, case, family):
        """The median of the ratios, from a file of bench/pairs."""
        return next(r["ratio"] for r in self.rows if (r["case"], r["family"]) == (case, family))

    def names(self):
        return list(dict.fromkeys(r["case"] for r in self.rows))

    def measured(self):
        """The rows of bench/rows that have figures in these files."""
        names = set(self.names())
        return [row for row in table()[0].values() if row.name in names]

    def dump(self, f):
        """Writes JSON with one row per line, so that a diff of two results can be read."""
        f.write('{\n"unit": %s,\n"set": %s,\n' % (json.dumps(self.unit), json.dumps(self.set)))
        f.write(f'"source": {json.dumps(self.source)},\n' if self.source else "")
        f.write('"kernels": {\n')
        f.write(",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in self.kernels.items()))
        f.write('\n},\n"rows": [\n')
        f.write(",\n".join(json.dumps(r) for r in self.rows))
        f.write("\n]\n}\n")


def least(results):
    """The run with the fewest instructions, or with the least memory. Other runs may contain timer ticks or work."""
    row = min((json.loads(r) for r in results), key=lambda r: r.get("ns", r.get("memory", 0)))
    row["rounds"] = len(results)
    return row


def from_guest(name, kernel, meta, output):
    """The Figures in the guest's output, which must contain each row equally often."""
    figures = Figures([])
    figures.set = name
    word, _, version = output.readline().strip().partition(" ")
    if word != "kernel":
        sys.exit(f"error: {kernel}: the guest's output does not start with the version of the kernel")
    figures.kernels[kernel] = {"version": version} | json.loads(meta)
    results = {}
    for line in output:
        if line == f"kernel {version}\n":  # another boot
            continue
        row, family, result = line.strip().split(" ", 2)
        results.setdefault((row, int(family)), []).append(result)
    wanted = [(r.name, f) for r in select(name.split()) for f in FAMILIES]
    if set(wanted) != set(results):
        sys.exit(f"error: {kernel}: the rows that were measured differ from the set: "
                 f"{sorted(set(wanted) ^ set(results))}")
    if len({len(runs) for runs in results.values()}) != 1:
        sys.exit(f"error: {kernel}: some rows were measured more often than other rows")
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
