// One gate of one layer as a heat map: a row for each unit, a column for each day, under the chart's own days.

import { canvasIn } from "./canvas.js";
import { colour, faded, scaleOf } from "./colours.js";
import { decimals } from "./format.js";
import { columns, link, watch } from "./linked.js";
import { h } from "./dom.js";

export const GATES = new Set(["forget", "input", "output", "reset", "update"]);

/** Draw `rows` (a list of days, each a list of units) into `node`, its units in `order`. */
export function drawHeat(node, rows, order, { view, kind, text, height }) {
  const days = view.prices.length + view.steps.length;
  const shape = () => columns(node.clientWidth, view.gutter, days);
  const scale = scaleOf(rows, GATES.has(kind));
  const each = height / order.length;
  const drawn = canvasIn(node, height, (context, width) => {
    const soft = colour("soft");
    const { left, middle, each: wide } = shape();
    rows.forEach((units, day) => {
      const [from, to] = [Math.round(left + day * wide), Math.round(left + (day + 1) * wide)];
      order.forEach((unit, row) => {
        context.fillStyle = scale.of(units[unit]);
        context.fillRect(from, Math.round(row * each), to - from, Math.round((row + 1) * each) - Math.round(row * each));
      });
    });
    context.fillStyle = faded(soft, 0.06);
    context.fillRect(middle(rows.length) - wide / 2, 0, wide * view.steps.length, height);
    context.fillStyle = soft;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const marks = [0, 9, 19, 29, 39, 49].filter((row) => row < order.length);
    for (const row of marks) context.fillText(String(row + 1), left - 8, Math.max(7, Math.min(height - 7, (row + 0.5) * each)));
  });
  const mark = h("div.unit-mark", { "aria-hidden": "true", hidden: true });
  mark.style.height = `${each}px`;
  node.append(mark);
  watch(({ unit }) => {
    mark.hidden = unit === null;
    if (unit === null) return;
    mark.style.transform = `translateY(${unit * each}px)`;
    mark.style.left = `${view.gutter}px`;
    mark.style.width = `${shape().each * rows.length}px`;
  });
  link(node, {
    shape,
    last: rows.length - 1,
    start: rows.length - 1,
    text,
    units: order.length,
    unitAt: (y) => Math.max(0, Math.min(order.length - 1, Math.floor(y / each))),
  });
  return drawn;
}

/** The heat map's legend: its colours from the lowest to the highest value. */
export function drawLegend(node, rows, kind) {
  const scale = scaleOf(rows, GATES.has(kind));
  const bar = h("div.legend-bar");
  const drawn = canvasIn(bar, 10, (context, width, height) => {
    for (let x = 0; x < width; x += 1) {
      context.fillStyle = scale.of(scale.low + ((scale.high - scale.low) * x) / width);
      context.fillRect(x, 0, 1, height);
    }
  });
  node.replaceChildren(h("span", {}, decimals(scale.low, 2)), bar, h("span", {}, decimals(scale.high, 2)));
  return drawn;
}
