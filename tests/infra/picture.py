"""Read an SVG of ours: what in it reaches out of it, its texts, and where these run out of boxes or into each other."""

from __future__ import annotations

import re
from itertools import combinations
from typing import NamedTuple
from xml.etree import ElementTree

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

SVG = "{http://www.w3.org/2000/svg}"
SAFE = {
    "svg",
    "title",
    "desc",
    "style",
    "defs",
    "marker",
    "g",
    "use",
    "rect",
    "circle",
    "ellipse",
    "path",
    "text",
    "tspan",
}


class Box(NamedTuple):
    """A rectangle, in the picture's units."""

    left: float
    top: float
    right: float
    bottom: float

    def contains(self, other: Box) -> bool:
        """Return whether all of the other lies in it."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )

    def meets(self, other: Box) -> bool:
        """Return whether they share more than an edge."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


class Words(NamedTuple):
    """A text, where it is anchored and how far it goes."""

    words: str
    is_name: bool
    anchor: Box
    extent: Box


def foreign(text: str) -> list[str]:
    """List what in a picture runs, or refers to anything but a part of it."""
    flaws = re.findall(r"""\bon\w+=|href=["'](?!#)[^"']*|url\((?!#)[^)]*\)|@import|javascript:""", text)
    tags = {element.tag.removeprefix(SVG) for element in ElementTree.fromstring(text).iter()}
    return flaws + sorted(tags - SAFE)


def texts(text: str) -> list[Words]:
    """List the texts, as wide as in DejaVu, the widest of the fonts that stand for sans-serif."""
    root = ElementTree.fromstring(text)
    sizes = {name: float(size) for name, size in re.findall(r"\.(\w+) \{[^}]*font-size: ([\d.]+)px", text)}
    found = []
    for element in root.findall(f".//{SVG}text"):
        runs = [(element, element.text or "")]
        for part in element:
            runs += [(part, part.text or ""), (element, part.tail or "")]
        size, width = 0.0, 0.0
        for run, words in runs:
            kinds = run.get("class", "").split()
            own = next((sizes[kind] for kind in kinds if kind in sizes), root.get("font-size"))
            size = max(size, float(run.get("font-size", own)))
            width += _width(words, kinds, float(run.get("font-size", own))) if words.strip() else 0
        width += sum(float(part.get("dx", 0)) for part in element)
        x, y = float(element.get("x")), float(element.get("y"))
        before = 0.5 if "middle" in element.get("class", "") else float(element.get("text-anchor") == "end")
        left = x - before * width
        name = next((words for run, words in runs if "name" in run.get("class", "").split()), None)
        extent = Box(left, y - 0.76 * size, left + width, y + 0.22 * size)
        found.append(Words(name or "".join(element.itertext()), name is not None, Box(x, y, x, y), extent))
    return found


def collisions(text: str) -> list[str]:
    """Say which text runs out of the smallest box that holds its anchor, or into another text."""
    boxes = []
    for rect in ElementTree.fromstring(text).findall(f".//{SVG}rect[@class]"):  # those of the glyphs have none
        x, y, width, height = (float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
        boxes.append(Box(x, y, x + width, y + height))
    every, flaws = texts(text), []
    for one in every:
        around = [box for box in boxes if box.contains(one.anchor)]
        if not min(around, key=lambda box: (box.right - box.left) * (box.bottom - box.top)).contains(one.extent):
            flaws.append(f"{one.words!r} runs out of its box")
    pairs = combinations(every, 2)
    return flaws + [f"{a.words!r} runs into {b.words!r}" for a, b in pairs if a.extent.meets(b.extent)]


def _width(words: str, kinds: list[str], size: float) -> float:
    family = "DejaVu Sans Mono" if "code" in kinds else "DejaVu Sans"
    font = FontProperties(family=family, weight="bold" if {"name", "head", "code"} & {*kinds} else "normal")
    spaced = 0.08 * size * len(words) if "head" in kinds else 0
    return float(TextPath((0, 0), words, size=size, prop=font).get_extents().width) + spaced
