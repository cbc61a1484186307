// A canvas as sharp as the screen, that is drawn again whenever its room changes.

import { h } from "./dom.js";

/** A canvas of a height in `node`; `draw(context, width, height)` is called in CSS pixels. */
export function canvasIn(node, height, draw) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  node.prepend(canvas);
  node.style.height = `${height}px`;
  const paint = () => {
    const [width, ratio] = [node.clientWidth, devicePixelRatio];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    draw(context, width, height);
  };
  const resized = new ResizeObserver(paint);
  resized.observe(node);
  return { paint, end: () => resized.disconnect() };
}
