"""Reads an SVG of ours: what in it would reach out of it, its boxes, and how far its texts go in a wide font."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
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


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle, in the picture's units."""

    x: float
    y: float
    width: float
    height: float

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in it."""
        return self.x <= x <= self.x + self.width and self.y <= y <= self.y + self.height

    def contains(self, other: Box) -> bool:
        """Whether all of the other lies in it."""
        return self.holds(other.x, other.y) and self.holds(other.x + other.width, other.y + other.height)

    def meets(self, other: Box) -> bool:
        """Whether they share more than an edge."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


@dataclasses.dataclass(frozen=True)
class Words:
    """A text, where it is anchored and how far it goes."""

    words: str
    is_name: bool
    anchor: tuple[float, float]
    extent: Box


def foreign(text: str) -> list[str]:
    """What in a picture runs, or refers to anything but a part of it."""
    found = []
    for one in ElementTree.fromstring(text).iter():
        if one.tag.removeprefix(SVG) not in SAFE:
            found.append(one.tag)
        for name, value in one.attrib.items():
            if name.startswith("on") or (name.endswith("href") and not value.startswith("#")):
                found.append(f"{name}={value}")
        written = " ".join([*one.attrib.values(), one.text or ""])
        found += re.findall(r"url\((?!#)[^)]*\)|@import|https?:|javascript:", written)
    return found


def boxes(text: str) -> Iterator[Box]:
    """Every rectangle, the page's own among them."""
    for one in ElementTree.fromstring(text).findall(f".//{SVG}rect"):
        if one.get("class"):  # those of the glyphs have none
            yield Box(*(float(one.get(name, 0)) for name in ("x", "y", "width", "height")))


def texts(text: str) -> Iterator[Words]:
    """Every text, as wide as in DejaVu, the widest of the fonts that stand for sans-serif."""
    root = ElementTree.fromstring(text)
    sizes = {name: float(size) for name, size in re.findall(r"\.(\w+) \{[^}]*font-size: ([\d.]+)px", text)}
    for one in root.findall(f".//{SVG}text"):
        runs = [(one, one.text or "")]
        for part in one:
            runs += [(part, part.text or ""), (one, part.tail or "")]
        width = sum(_width(run, root, sizes, words) for run, words in runs if words.strip())
        width += sum(float(part.get("dx", 0)) for part in one)
        x, y = float(one.get("x")), float(one.get("y"))
        middle, end = "middle" in one.get("class", ""), one.get("text-anchor") == "end"
        left = x - (width / 2 if middle else width if end else 0)
        size = max(_size(run, root, sizes) for run, _ in runs)
        name = next((words for run, words in runs if "name" in run.get("class", "").split()), None)
        yield Words(
            name or "".join(one.itertext()), name is not None, (x, y), Box(left, y - 0.76 * size, width, 0.98 * size)
        )


def collisions(text: str) -> list[str]:
    """What is wrong where a text runs out of the smallest box that holds its anchor, or into another text."""
    found, every, all_boxes = [], list(texts(text)), list(boxes(text))
    for number, one in enumerate(every):
        around = [box for box in all_boxes if box.holds(*one.anchor)]
        if not min(around, key=lambda box: box.width * box.height).contains(one.extent):
            found.append(f"{one.words!r} runs out of its box")
        found += [
            f"{one.words!r} runs into {other.words!r}"
            for other in every[number + 1 :]
            if one.extent.meets(other.extent)
        ]
    return found


def _size(run: ElementTree.Element, root: ElementTree.Element, sizes: dict[str, float]) -> float:
    own = run.get("font-size") or next((sizes[name] for name in run.get("class", "").split() if name in sizes), None)
    return float(own or root.get("font-size", 0))


def _width(run: ElementTree.Element, root: ElementTree.Element, sizes: dict[str, float], words: str) -> float:
    kinds = run.get("class", "").split()
    font = FontProperties(
        family="DejaVu Sans Mono" if "code" in kinds else "DejaVu Sans",
        weight="bold" if {"name", "head", "code"} & set(kinds) else "normal",
    )
    size = _size(run, root, sizes)
    spaced = 0.08 * size * len(words) if "head" in kinds else 0
    return float(TextPath((0, 0), words, size=size, prop=font).get_extents().width) + spaced
