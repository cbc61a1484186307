// The closes with the forecast's fan and the naive line (uPlot).

import uPlot from "uplot";
import { colour, faded } from "./colours.js";
import { price, shortDay } from "./format.js";
import { columns, link, watch } from "./linked.js";

const [TOP, BOTTOM] = [14, 34];

/** Draw `view` into `node` with the intervals of these levels; gives a function that takes it down. */
export function drawChart(node, view, levels, { text, height }) {
  const { prices, steps } = view;
  const last = prices.length - 1;
  const xs = Array.from({ length: prices.length + steps.length }, (_, day) => day);
  const ahead = (values) => [...Array(last).fill(null), prices[last], ...values];
  const [ink, accent, soft, grid] = ["ink", "accent", "soft", "line"].map(colour);
  const data = [xs, [...prices, ...steps.map(() => null)], ahead(steps.map(() => prices[last])), ahead(steps.map((step) => step.median))];
  const series = [
    {},
    { stroke: ink, width: 1.75, points: { show: false } },
    { stroke: soft, width: 1.5, dash: [5, 4], points: { show: false } },
    { stroke: accent, width: 2.25, points: { show: true, size: 6, fill: accent, stroke: accent } },
  ];
  const bands = [];
  for (const level of [...levels].sort((a, b) => b - a)) {
    const edge = { stroke: faded(accent, 0.35), width: 1, points: { show: false } };
    data.push(ahead(steps.map((step) => step.intervals[level][1])), ahead(steps.map((step) => step.intervals[level][0])));
    series.push(edge, { ...edge });
    bands.push({ series: [series.length - 2, series.length - 1], fill: faded(accent, 0.17) });
  }
  const days = xs.length;
  const shape = () => columns(node.clientWidth, view.gutter, days);
  const axis = { stroke: soft, font: "12px system-ui, sans-serif", grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  const plot = new uPlot(
    {
      width: node.clientWidth,
      height,
      padding: [TOP, shape().right, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: () => [-0.5, days - 0.5] },
        y: { range: (_, low, high) => padded(low, high) },
      },
      axes: [
        { ...axis, size: BOTTOM, grid: { show: false }, splits: () => ticks(last, shape().each), values: (_, at) => at.map((day) => name(view, day)) },
        { ...axis, size: view.gutter, gap: 8, values: (_, at) => at.map(price) },
      ],
      series,
      bands,
      hooks: { drawAxes: [(self) => drawToday(self, last, faded(soft, 0.35))] },
    },
    data,
    node,
  );
  plot.root.setAttribute("aria-hidden", "true");
  const dot = document.createElement("div");
  dot.className = "dot";
  node.append(dot);
  link(node, { shape, last: days - 1, start: last, text });
  const place = ({ day }) => {
    dot.hidden = day === null;
    if (day === null) return;
    const value = day <= last ? prices[day] : steps[day - last - 1].median;
    dot.style.transform = `translate(${shape().middle(day)}px, ${plot.valToPos(value, "y") + plot.bbox.top / devicePixelRatio}px)`;
  };
  watch(place);
  place({ day: null });
  const resized = new ResizeObserver(() => plot.width !== node.clientWidth && plot.setSize({ width: node.clientWidth, height }));
  resized.observe(node);
  return () => {
    resized.disconnect();
    plot.destroy();
  };
}

/** Room above and below; prices that do not move stand in the middle. */
function padded(low, high) {
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  return [low - room, high + room];
}

/** The last close's day and others at even distances before it, as many as have room. */
function ticks(last, each) {
  const apart = [5, 10, 15, 20, 30, 60].find((days) => days * each >= 62) ?? 60;
  const found = [];
  for (let day = last; day >= 0; day -= apart) found.unshift(day);
  return found;
}

function name(view, day) {
  const date = view.dates?.[day];
  return date ? shortDay(date) : day === view.prices.length - 1 ? "0" : `${day - view.prices.length + 1}`.replace("-", "−");
}

function drawToday(plot, last, stroke) {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(last, "x", true)) + 0.5;
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}
