// One day, and one unit, pointed at in all pictures at once: by mouse, by touch or by arrow keys.

import { h } from "./dom.js";

const RIGHT = 14; // px kept free at the right of every picture
const listeners = new Set();
let pointed = { day: null, unit: null };

export const current = () => pointed;

/** Call `listener({day, unit})` at each change, until `forget()`. */
export function watch(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const forget = () => {
  listeners.clear();
  pointed = { day: null, unit: null };
};

export function point(day, unit = null, byKey = false) {
  if (day === pointed.day && unit === pointed.unit) return;
  pointed = { day, unit };
  for (const listener of listeners) listener({ ...pointed, byKey });
}

/** Where days stand: the same columns in every picture of a width. */
export function columns(width, gutter, days) {
  const each = (width - gutter - RIGHT) / days;
  return {
    each,
    left: gutter,
    right: RIGHT,
    middle: (day) => gutter + (day + 0.5) * each,
    at: (x) => Math.max(0, Math.min(days - 1, Math.floor((x - gutter) / each))),
  };
}

/**
 * Make a picture point: a line over the day, pointer and keys.
 *
 * `shape()` gives its columns; `last` is its last day; `text(day, unit)` says a day in words; a heat map has `units`,
 * `unitAt(y)` and gets arrow keys up and down.
 */
export function link(node, { shape, last, start, text, units = 0, unitAt = () => null }) {
  const line = h("div.crosshair", { "aria-hidden": "true", hidden: true });
  node.append(line);
  node.tabIndex = 0;
  node.setAttribute("role", "slider");
  node.setAttribute("aria-valuemin", "1");
  node.setAttribute("aria-valuemax", String(last + 1));
  const say = (day, unit) => {
    node.setAttribute("aria-valuenow", String((day ?? start) + 1));
    node.setAttribute("aria-valuetext", text(day ?? start, unit));
  };
  const place = ({ day, unit }) => {
    line.hidden = day === null;
    if (day !== null) line.style.transform = `translateX(${shape().middle(day)}px)`;
    say(day, unit);
  };
  const move = (event) => {
    const box = node.getBoundingClientRect();
    const day = shape().at(event.clientX - box.left);
    point(Math.min(day, last), unitAt(event.clientY - box.top));
  };
  node.addEventListener("pointermove", move);
  node.addEventListener("pointerdown", move);
  node.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && document.activeElement !== node && point(null));
  node.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -5, PageDown: 5, Home: -Infinity, End: Infinity }[event.key];
    const row = units ? { ArrowUp: -1, ArrowDown: 1 }[event.key] : undefined;
    if (event.key === "Escape") point(null);
    if (step === undefined && row === undefined) return;
    event.preventDefault();
    const day = pointed.day === null ? (step ? start : start) : Math.max(0, Math.min(last, pointed.day + (step ?? 0)));
    const unit = row === undefined ? pointed.unit : pointed.unit === null ? 0 : Math.max(0, Math.min(units - 1, pointed.unit + row));
    point(Number.isFinite(day) ? day : step < 0 ? 0 : last, units ? unit : null, true);
  });
  watch(place);
  place(pointed);
  return place;
}
