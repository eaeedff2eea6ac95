# SPDX-License-Identifier: GPL-2.0
"""Draws the figures as SVG: bars of instructions a datagram, IPv4 beside IPv6."""
import html

import figures

LEFT, PANEL, GAP, TOP = 256, 400, 40, 84
BAR, SPACE = 11, 12
COLOURS = {"stock": ("#8c959f", "#768390"), "base": ("#d4a017", "#daaa3f"),
           "series": ("#0969da", "#539bf5")}
STYLE = """
text { font: 12px sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: bold } .value { font-size: 10px } .end { text-anchor: end }
.middle { text-anchor: middle } .paper { fill: #ffffff } .grid { stroke: #d0d7de }
"""
DARK = "text { fill: #d1d7e0 } .paper { fill: #1c2128 } .grid { stroke: #444c56 }\n"


def style():
    """Own paper, so that it reads on any page; dark where the reader's choice is known."""
    light = STYLE + "".join(f".{k} {{ fill: {c[0]} }} " for k, c in COLOURS.items())
    dark = DARK + "".join(f".{k} {{ fill: {c[1]} }} " for k, c in COLOURS.items())
    return f"<style>{light}\n@media (prefers-color-scheme: dark) {{\n{dark}}}</style>"


def text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{html.escape(words)}</text>'


def rect(x, y, width, height, kind):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{kind}"/>'


def grid(x, bottom, scale, step, limit):
    for value in range(0, limit + 1, step):
        at = x + value * scale
        yield f'<line x1="{at:.1f}" y1="{TOP}" x2="{at:.1f}" y2="{bottom}" class="grid"/>'
        yield text(at, bottom + 16, str(value), "middle")


def bars(fig, case, family, x, y, scale):
    for kernel in fig.kernels:
        figure = fig.get(kernel, case.name, family)
        if not figure:
            continue
        yield rect(x, y, figure.each * scale, BAR - 1, kernel)
        yield text(x + figure.each * scale + 4, y + BAR - 2, f"{figure.each:.0f}", "value")
        y += BAR


def height(fig, case):
    """Of a group: as many bars as kernels that can do it."""
    return BAR * max(sum(bool(fig.get(k, case.name, f)) for k in fig.kernels)
                     for f in figures.FAMILIES) + SPACE


def draw(fig):
    top = max((f.each for f in fig.index.values()), default=1)
    step = 500 if top > 1500 else 250
    limit = -(-int(top * 1.08) // step) * step
    scale = PANEL / limit
    cases = [c for c in figures.cases() if height(fig, c) > SPACE]
    bottom = TOP + sum(height(fig, c) for c in cases) + SPACE // 2
    width, tall = LEFT + 2 * PANEL + GAP + 30, bottom + 52
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {tall}" '
           f'width="{width}" height="{tall}" role="img">',
           "<!-- SPDX-License-Identifier: GPL-2.0 -->",
           "<title>Instructions a datagram costs its sender</title>", style(),
           rect(0, 0, width, tall, "paper"),
           text(16, 26, "What a datagram costs its sender: instructions (not cycles), less is better",
                "title")]
    for i, kernel in enumerate(fig.kernels):
        out += [rect(16 + 90 * i, 42, 12, 12, kernel), text(34 + 90 * i, 52, kernel)]
    for i, family in enumerate(figures.FAMILIES):
        x = LEFT + i * (PANEL + GAP)
        out.append(text(x + PANEL / 2, TOP - 8, f"IPv{family}", "middle"))
        out += grid(x, bottom, scale, step, limit)
        out.append(text(x + PANEL / 2, bottom + 38, "instructions a datagram", "middle"))
        y = TOP + SPACE
        for case in cases:
            out += bars(fig, case, family, x, y, scale)
            if i == 0:
                out.append(text(LEFT - 10, y + (height(fig, case) - SPACE) / 2 + 4,
                                case.label, "end"))
            y += height(fig, case)
    return "\n".join(out + ["</svg>", ""])
