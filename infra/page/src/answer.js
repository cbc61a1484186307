// The forecast of one series: the headline, the chart, its day's numbers, the table; and the list of several.

import { drawChart } from "./chart.js";
import { fill, h } from "./dom.js";
import { change, longDay, price } from "./format.js";
import { current, watch } from "./linked.js";
import { t } from "./words.js";

/** What the pictures of one forecast share. */
export function viewOf(series, forecast, window) {
  const prices = series.prices.slice(-window);
  const dates = series.dates?.slice(-window) ?? [];
  const ahead = forecast.steps.map((step) => step.date ?? null);
  const levels = Object.keys(forecast.steps[0].intervals).sort((a, b) => b - a);
  const widest = [prices, forecast.steps.flatMap((step) => [step.median, ...Object.values(step.intervals).flat()])].flat();
  const gutter = Math.max(58, ...widest.map((value) => price(value).length * 7.2 + 16));
  return { name: series.id || t("read.series"), prices, dates: [...(dates.length ? dates : Array(prices.length).fill(null)), ...ahead], steps: forecast.steps, levels, gutter: Math.min(gutter, 96) };
}

/** The level that the headline tells: 80%, or what the model has nearest. */
const told = (levels) => levels.reduce((best, level) => (Math.abs(level - 80) < Math.abs(best - 80) ? level : best), levels[0]);

export function headline(view, forecast) {
  const [step] = forecast.steps;
  const level = told(view.levels);
  const last = forecast.last_price;
  const when = step.date ? longDay(step.date) : t("answer.session", { step: 1 });
  const end = forecast.steps.at(-1);
  const range = (of) => (level ? `${price(of.intervals[level][0])} – ${price(of.intervals[level][1])}` : "–");
  const facts = [
    level && [t("answer.interval", { level }), range(step), step],
    [t("answer.naive"), price(last)],
    level && forecast.steps.length > 1 && [`${t("answer.after", { count: forecast.steps.length })}, ${t("answer.interval", { level }).toLowerCase()}`, range(end)],
  ].filter(Boolean);
  const [low, high] = level ? step.intervals[level] : [step.median, step.median];
  return h("div.headline", {},
    h("div.main-number", {},
      h("p.kicker", {}, t("answer.next", { date: step.date ? longDay(step.date) : "" })),
      h("p.big", { id: "predicted" }, price(step.median)),
      h("p.soft", {}, h("span.change", {}, change(step.median / last - 1)), ` · ${t("answer.from", { last: price(last) })}`),
    ),
    h("dl.facts", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    h("p.off-screen", { id: "summary", role: "status" }, t(level ? "answer.summary" : "answer.summaryPlain", {
      name: view.name, last: price(last), when, median: price(step.median), change: change(step.median / last - 1), level, low: price(low), high: price(high),
    })),
  );
}

/** The chart with its intervals' switches; `shown` is the set of levels, which the switches change. */
export function chartSection(view, shown, describe) {
  const node = h("div.picture.chart", { id: "chart", "aria-label": t("chart.label", { name: view.name, count: view.prices.length, steps: view.steps.length }) });
  let takeDown = () => {};
  const draw = () => {
    takeDown();
    node.replaceChildren();
    const height = Math.max(260, Math.min(420, Math.round(node.clientWidth * 0.46)));
    takeDown = drawChart(node, view, view.levels.filter((level) => shown.has(level)), { text: describe, height });
  };
  const switches = view.levels.map((level) => {
    const box = h("input", { type: "checkbox", checked: shown.has(level), "data-level": level });
    box.addEventListener("change", () => {
      if (box.checked) shown.add(level);
      else shown.delete(level);
      draw();
    });
    return h("label.switch", {}, box, `${level}%`);
  });
  const section = h("section.panel", {},
    h("div.section-head", {}, h("h2", {}, t("chart.title")),
      switches.length > 0 && h("fieldset.switches", {}, h("legend", {}, t("chart.show")), switches)),
    h("p.keys", { "aria-hidden": "true" },
      h("span.key.closes", {}, t("chart.closes")), h("span.key.median", {}, t("chart.median")), h("span.key.naive", {}, t("chart.naive"))),
    node,
    h("p.hint", {}, t("chart.help")),
    table(view),
  );
  return { section, draw };
}

function table(view) {
  const down = view.levels;
  const up = [...down].reverse();
  const head = [t("chart.step"), t("chart.date"), ...down.map((level) => t("chart.low", { level })), t("chart.median"), ...up.map((level) => t("chart.high", { level })), t("chart.naive")];
  const last = price(view.prices.at(-1));
  const rows = view.steps.map((step) => [
    `+${step.step}`, step.date ? longDay(step.date) : "–", ...down.map((level) => price(step.intervals[level][0])), price(step.median),
    ...up.map((level) => price(step.intervals[level][1])), last,
  ]);
  return details(t("chart.table"), t("chart.title"), head, rows);
}

/** A table that is folded away, and can be scrolled by keyboard. */
export function details(summary, caption, head, rows) {
  return h("details", {}, h("summary", {}, summary),
    h("div.scroll", { tabindex: "0", role: "region", "aria-label": caption },
      h("table", {}, h("caption.off-screen", {}, caption),
        h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, cell)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, at) => (at ? h("td", {}, cell) : h("th", { scope: "row" }, cell)))))))));
}

/** The line that tells the day pointed at, above the pictures. */
export function readout(parts) {
  const node = h("div.readout", { id: "readout", "aria-live": "polite" });
  const say = ({ day, unit, byKey }) => {
    node.setAttribute("aria-live", byKey ? "off" : "polite"); // the picture with the focus says it itself
    fill(node, parts(day, unit).map(([name, value]) => h("span.part", {}, name && h("span.soft", {}, `${name} `), h("b", {}, value))));
  };
  watch(say);
  say(current());
  return node;
}

/** All series of the request, as buttons that show one. */
export function seriesList(series, forecasts, selected, choose) {
  const good = forecasts.find((one) => one.steps);
  const level = good ? told(Object.keys(good.steps[0].intervals)) : null;
  const rows = forecasts.map((one, at) => {
    const button = h("button.link", { type: "button", id: `series-${at}`, "aria-pressed": String(at === selected), "data-series": at, onclick: () => choose(at) }, series[at].id || String(at + 1));
    if (!one.steps) {
      const detail = one.error.errors?.[0]?.detail ?? one.error.detail;
      return h("tr.refused", {}, h("th", { scope: "row" }, series[at].id || String(at + 1)), h("td", { colspan: "4" }, t("series.refused", { detail })));
    }
    const [step] = one.steps;
    return h("tr", { class: at === selected ? "selected" : null }, h("th", { scope: "row" }, button), h("td", {}, price(one.last_price)), h("td", {}, price(step.median)),
      h("td", {}, change(step.median / one.last_price - 1)), h("td", {}, level ? `${price(step.intervals[level][0])} – ${price(step.intervals[level][1])}` : "–"));
  });
  const head = [t("series.name"), t("series.last"), t("series.forecast"), t("series.change"), t("series.interval", { level })];
  return h("section.panel.series", { id: "series" }, h("h2", {}, t("series.title", { count: series.length })),
    h("div.scroll.list", { tabindex: "0", role: "region", "aria-label": t("series.title", { count: series.length }) },
      h("table", {}, h("thead", {}, h("tr", {}, head.map((cell) => h("th", { scope: "col" }, cell)))), h("tbody", {}, rows))));
}
