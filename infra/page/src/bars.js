// What each day added, as bars in the columns of the chart above.

import { canvasIn } from "./canvas.js";
import { colour, faded } from "./colours.js";
import { rough } from "./format.js";
import { columns, link } from "./linked.js";

/** Draw `values`, one a day, into `node`. */
export function drawBars(node, values, { view, text, height = 120 }) {
  const days = view.prices.length + view.steps.length;
  const shape = () => columns(node.clientWidth, view.gutter, days);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const span = high - low || 1;
  const drawn = canvasIn(node, height, (context, width) => {
    const [rise, fall, soft, grid] = ["rise", "fall", "soft", "line"].map(colour);
    const { each, middle, left, right } = shape();
    const y = (value) => 8 + ((high - value) / span) * (height - 16);
    const zero = y(0);
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillStyle = soft;
    context.strokeStyle = grid;
    for (const value of new Set([high, 0, low])) {
      const at = Math.round(y(value)) + 0.5;
      context.beginPath();
      context.moveTo(left, at);
      context.lineTo(width - right, at);
      context.stroke();
      if (value !== 0 && Math.abs(at - zero) < 14) continue; // it would stand on the 0
      context.fillText(value === 0 ? "0" : `${value > 0 ? "+" : "−"}${rough(Math.abs(value))}`, left - 8, Math.max(8, Math.min(height - 8, at)));
    }
    values.forEach((value, day) => {
      context.fillStyle = value < 0 ? fall : rise;
      context.fillRect(middle(day) - each * 0.36, Math.min(zero, y(value)), Math.max(1, each * 0.72), Math.max(1, Math.abs(y(value) - zero)));
    });
    context.fillStyle = faded(soft, 0.06);
    context.fillRect(middle(values.length) - each / 2, 0, each * view.steps.length, height);
  });
  link(node, { shape, last: values.length - 1, start: values.length - 1, text });
  return drawn;
}
