#!/usr/bin/env -S python3 -B
# SPDX-License-Identifier: GPL-2.0
"""Instructions by kernel function, from the output of the plugin bench/count.c.

bench/counts.py show FAMILY KERNEL GUEST COUNTS MAP [KERNEL GUEST COUNTS MAP]
	prints a table for each row; with two kernels also the difference
bench/counts.py save FAMILY JSON TREES KERNEL GUEST COUNTS MAP [KERNEL GUEST COUNTS MAP]
	writes the functions with the most instructions of each row to JSON; TREES: JSON, the git tree
	of each kernel
bench/counts.py add JSON KERNEL GUEST COUNTS MAP
	adds to the rows in JSON: "copy", the instructions per datagram of the copy from user space;
	"slab", "frag" and "page", the calls of these allocators per datagram; "crypto", the
	instructions per datagram of encryption and of all copies of the payload, if there is encryption

GUEST is the output of bench/guest in one boot. COUNTS is the output of the plugin. MAP is the
kernel's System.map.
"""
import bisect
import collections
import json
import re
import sys

import figures

PROGRAM = "(program)"
MOST = 25
COPY = "rep_movs_alternative"
# The functions of ChaCha20-Poly1305, and the FPU functions that only they call. memcpy() is not
# included, because it copies headers in most rows.
ENCRYPTION = r"_*(chacha|poly1305|crypto_xor)\w*|irq_fpu_usable|kernel_fpu_(begin_mask|end)"
# Encryption erases its state with memset(). Other calls of memset() in these rows clear sk_buffs; stock has more of them.
ERASING = "memset_orig"
COPIES = rf"{COPY}|csum_partial_copy_(generic|nocheck)|skb_copy_and_csum_bits"
ALLOCATORS = {"slab": r"(__kmalloc|kmem_cache_alloc)\w*_noprof",
              "frag": r"__page_frag_alloc_align",
              "page": r"(__alloc_pages|alloc_pages_bulk)_noprof"}


class Symbols:
    def __init__(self, path):
        with open(path, encoding="ascii") as f:
            rows = sorted((int(a, 16), n) for a, t, n in map(str.split, f) if t in "tTwW")
        self.starts, self.names = [r[0] for r in rows], [r[1] for r in rows]

    def name(self, address):
        """The function at an address, and whether the address is its start."""
        if address < 1 << 63:
            return PROGRAM, False
        i = bisect.bisect_right(self.starts, address) - 1
        return self.names[i], self.starts[i] == address


class Profile:
    """The instructions and the calls of each function, per datagram."""

    def __init__(self, result, counts, symbols):
        instructions, calls = collections.Counter(), collections.Counter()
        for address, count in counts:
            name, begins = symbols.name(address)
            instructions[name] += count
            calls[name] += count if begins else 0
        each = result["datagrams"]
        self.clock = result["ns"] / each
        self.instructions = {n: c / each for n, c in instructions.items()}
        self.calls = {n: c / each for n, c in calls.items() if c}
        self.known = symbols.names

    def total(self):
        return sum(self.instructions.values())

    def matching(self, pattern):
        """The instructions of the functions whose names match."""
        return sum(c for n, c in self.instructions.items() if re.fullmatch(pattern, n))

    def most(self):
        return sorted(self.instructions, key=self.instructions.get, reverse=True)[:MOST]

    def of(self, name):
        """Instructions and calls of a function; None if this kernel does not have it."""
        if name != PROGRAM and name not in self.known:
            return None
        return [round(self.instructions.get(name, 0), 2), round(self.calls.get(name, 0), 3)]


def rows_of(path):
    """(address, count) pairs of each row."""
    rows = []
    with open(path, encoding="ascii") as f:
        for line in f:
            address, count = line.split()
            if address == "row":
                rows.append([])
            else:
                rows[-1].append((int(address, 16), int(count)))
    return rows


def profiles(kernel, guest, counts, symbols):
    """{(row, family): Profile}, without the rows that the kernel does not support."""
    symbols, rows, results = Symbols(symbols), rows_of(counts), []
    with open(guest, encoding="utf-8") as f:
        for line in f.read().splitlines()[1:]:
            row, family, result = line.split(" ", 2)
            if result != figures.UNSUPPORTED:
                results.append((row, int(family), json.loads(result)))
    if len(results) != len(rows):
        sys.exit(f"error: {kernel}: {len(results)} rows measured, {len(rows)} counted")
    found = {(row, family): Profile(result, counted, symbols)
             for (row, family, result), counted in zip(results, rows)}
    for (row, family), profile in found.items():
        if abs(profile.total() / profile.clock - 1) > 0.005:
            sys.exit(f"error: {kernel}: {row}, IPv{family}: {profile.total():.1f} instructions counted, "
                     f"{profile.clock:.1f} by the guest's clock")
    return found


def show(family, groups):
    kernels = [g[0] for g in groups]
    found = [profiles(*g) for g in groups]
    if not any(found):
        sys.exit(f"error: {' and '.join(kernels)} cannot do this: the socket option or the feature of the device is missing")
    for row in sorted({r for f in found for r, v in f if v == family}):
        there = [f[row, family] for f in found if (row, family) in f]
        if len(there) < len(found):
            print(f"{row}, IPv{family}: not supported by each kernel")
            continue
        print(f"{row}, IPv{family}, instructions per datagram: "
              + ", ".join(f"{k} {p.total():.1f}" for k, p in zip(kernels, there)))
        two = len(there) == 2
        print(f"{'function':40}" + "".join(f"{k:>10}{'calls':>8}" for k in kernels)
              + (f"{'difference':>12}" if two else ""))
        table = []
        for name in set().union(*(p.instructions for p in there)):
            values = [p.instructions.get(name, 0) for p in there]
            table.append((values[0] - values[1] if two else -values[0], name, values))
        for saved, name, values in sorted(table):
            if max(values) < 0.05 or two and abs(saved) < 0.005:
                continue
            print(f"{name:40}" + "".join(f"{v:10.2f}{p.calls.get(name, 0):8.3f}"
                                         for v, p in zip(values, there))
                  + (f"{-saved:12.2f}" if two else ""))


def save(family, path, trees, groups):
    """Writes the functions that are among those with the most instructions on one of the kernels."""
    found, rows = {g[0]: profiles(*g) for g in groups}, []
    for row in dict.fromkeys(r for f in found.values() for r, v in f if v == family):
        there = {k: f[row, family] for k, f in found.items() if (row, family) in f}
        if len(there) < len(found):
            sys.exit(f"error: {row}, IPv{family}: not supported by each kernel")
        names = dict.fromkeys(n for p in there.values() for n in p.most())
        rows.append({"case": row, "family": family, "total": {k: round(p.total(), 2) for k, p in there.items()},
                     "functions": {n: {k: p.of(n) for k, p in there.items()} for n in names}})
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps({"trees": json.loads(trees), "rows": rows}, indent=1) + "\n")


def add(path, *group):
    fig = figures.Figures([path])
    for (row, family), profile in profiles(*group).items():
        figure = fig.get(group[0], row, family)
        if not figure:
            continue
        figure.row["copy"] = round(profile.instructions.get(COPY, 0), 2)
        encryption = profile.matching(ENCRYPTION)
        if encryption:
            figure.row["crypto"] = round(encryption + profile.matching(f"{ERASING}|{COPIES}"), 2)
        for kind, pattern in ALLOCATORS.items():
            figure.row[kind] = round(sum(c for n, c in profile.calls.items()
                                         if re.fullmatch(pattern, n)), 3)
    with open(path, "w", encoding="utf-8") as f:
        fig.dump(f)


def main():
    what, args = sys.argv[1:2], sys.argv[2:]
    if what == ["show"] and len(args) in (5, 9):
        show(int(args[0]), [args[i:i + 4] for i in range(1, len(args), 4)])
    elif what == ["save"] and len(args) in (7, 11):
        save(int(args[0]), args[1], args[2], [args[i:i + 4] for i in range(3, len(args), 4)])
    elif what == ["add"] and len(args) == 5:
        add(*args)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
