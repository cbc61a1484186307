// The explanation of one forecast: what stands out, what each day added, and the gates as heat maps.

import { details } from "./answer.js";
import { drawBars } from "./bars.js";
import { h } from "./dom.js";
import { change, count, decimals, longDay, percent, price } from "./format.js";
import { drawHeat, drawLegend } from "./heat.js";
import { t } from "./words.js";

const STATES = ["forget", "input", "output", "reset", "update", "candidate", "cell", "hidden"];

/** How a day is called: its date, or how far it is before the last close. */
export function dayName(view, day) {
  const date = view.dates[day];
  return date ? longDay(date) : t("readout.day", { day: String(day - view.prices.length + 1).replace("-", "−") });
}

export function insideSection(view, explained, chosen, describe) {
  const { window, units, layers, level, agreement, baseline, forecast } = explained;
  const kinds = STATES.filter((kind) => explained.gates[0][kind]);
  if (!kinds.includes(chosen.kind)) chosen.kind = kinds[0];
  if (chosen.layer >= layers) chosen.layer = 0;
  if (level === null) chosen.measure = "median";
  const [bars, heat, legend, meaning] = [h("div.picture.bars", { id: "bars" }), h("div.picture.heat", { id: "heat" }), h("div.legend"), h("p.hint")];
  const drawn = [];
  const drawDays = () => {
    bars.replaceChildren();
    const what = chosen.measure === "width" ? t("inside.width", { level }) : t("inside.median");
    bars.setAttribute("aria-label", t("inside.daysLabel", { window, what }));
    drawn.push(drawBars(bars, explained.days.map((day) => day[chosen.measure] ?? 0), { view, text: describe }));
  };
  const drawGates = () => {
    heat.replaceChildren();
    const part = explained.gates[chosen.layer];
    heat.setAttribute("aria-label", t("inside.gatesLabel", { what: t(`inside.kinds.${chosen.kind}`), layer: chosen.layer + 1, units, window }));
    const height = Math.max(180, Math.min(320, part.order.length * 5));
    drawn.push(drawHeat(heat, part[chosen.kind], part.order, { view, kind: chosen.kind, text: describe, height }));
    drawn.push(drawLegend(legend, part[chosen.kind], chosen.kind));
    meaning.textContent = `${t(`inside.means.${chosen.kind}`)} ${explained.reach ? t("inside.reach", { layer: chosen.layer + 1, days: explained.reach[chosen.layer] }) : ""}`;
  };
  const pick = (name, options, field, redraw, label) => {
    const select = h("select", { id: name }, options.map(([value, text]) => h("option", { value }, text)));
    select.value = String(chosen[field]);
    select.addEventListener("change", () => {
      chosen[field] = field === "layer" ? Number(select.value) : select.value;
      redraw();
    });
    return h("span.pick", {}, h("label", { for: name }, label), select);
  };
  const measures = [["median", t("inside.median")], ...(level === null ? [] : [["width", t("inside.width", { level })]])];
  const sums = { medianFrom: price(baseline.median), widthFrom: price(baseline.width ?? 0), medianTo: price(forecast.median), widthTo: price(forecast.width ?? 0) };
  const section = h("section.panel", { id: "inside" },
    h("h2", {}, t("inside.title")),
    h("p.lead", {}, t("inside.lead", { window, units, layers })),
    h("h3", {}, t("inside.notesTitle")),
    explained.notes.length ? h("ul.notes", {}, explained.notes.map((note) => h("li", {}, told(view, explained, note)))) : h("p.hint", {}, t("notes.none")),
    h("div.section-head", {}, h("h3", {}, t("inside.days")), pick("measure", measures, "measure", drawDays, t("inside.measure"))),
    bars,
    level !== null && h("p.hint", {}, t("inside.sum", sums)),
    h("div.section-head", {}, h("h3", {}, t("inside.gates")),
      h("div.picks", {},
        pick("layer", Array.from({ length: layers }, (_, i) => [i, t("inside.layerName", { layer: i + 1 })]), "layer", drawGates, t("inside.layer")),
        pick("gate", kinds.map((kind) => [kind, t(`inside.kinds.${kind}`)]), "kind", drawGates, t("inside.gate")))),
    heat,
    h("div.under", {}, meaning, legend),
    h("p.hint", {}, t("inside.proof", { difference: agreement.difference.toExponential(0), tolerance: agreement.tolerance.toExponential(0) })),
    days(view, explained, level),
  );
  return { section, draw: () => { drawDays(); drawGates(); }, end: () => drawn.forEach((one) => one.end()) };
}

function days(view, explained, level) {
  const names = t("inside.columns");
  const states = STATES.filter((kind) => explained.days[0].layers[0][kind] !== undefined);
  const layered = explained.days[0].layers.flatMap((_, i) => states.map((kind) => `${t(`inside.kinds.${kind}`)} ${i + 1}`));
  const head = [names.day, names.price, names.returned, names.median, ...(level === null ? [] : [names.width]), ...layered];
  const rows = explained.days.map((day) => [
    dayName(view, day.day), price(day.price), change(day.return), decimals(day.median, 4), ...(level === null ? [] : [decimals(day.width, 4)]),
    ...day.layers.flatMap((layer) => states.map((kind) => decimals(layer[kind], 3))),
  ]);
  return details(t("inside.daysTable"), t("inside.days"), head, rows);
}

function told(view, explained, note) {
  const size = note.return ? percent(Math.abs(note.return)) : null;
  const named = dayName(view, note.day);
  const place = named[0].toUpperCase() + named.slice(1);
  const isRise = note.return > 0;
  const values = {
    place, size, isRise, subject: t("notes.subject", { place, size, isRise }), times: decimals(note.times, 1), level: explained.level,
    width: price(note.width ?? 0), whole: price(explained.forecast.width ?? 0), gate: note.gate && t(`inside.kinds.${note.gate}`),
    units: note.units, of: note.of, layer: (note.layer ?? 0) + 1, usual: note.usual,
  };
  return ["moved", "widened", "forgot", "remembered", "opened"].includes(note.kind) ? t(`notes.${note.kind}`, values) : note.text;
}

/** What the explanation adds to the readout of a day. */
export function insideParts(explained, chosen, day, unit) {
  const found = explained?.days[day];
  if (!found) return [];
  const layer = explained.gates[chosen.layer];
  const parts = [[t("readout.added"), plus(found.median)]];
  if (explained.level !== null) parts.push([t("readout.widened"), plus(found.width)]);
  const means = found.layers[chosen.layer];
  parts.push([`${t(`inside.kinds.${chosen.kind}`)} ∅`, decimals(means[chosen.kind], 2)]);
  if (means.closed !== undefined) parts.push([t("inside.closed"), count(means.closed)], [t("inside.kept"), percent(means.kept, 0)]);
  if (unit !== null && layer) parts.push([t("readout.unit", { unit: layer.order[unit] }), decimals(layer[chosen.kind][day][layer.order[unit]], 3)]);
  return parts;
}

const plus = (value) => `${value < 0 ? "−" : "+"}${price(Math.abs(value))}`;

export const waiting = () => h("section.panel", { id: "inside", "aria-busy": "true" }, h("h2", {}, t("inside.title")), h("p.hint", {}, t("inside.waiting")));
export const unexplained = (why) => h("section.panel", { id: "inside" }, h("h2", {}, t("inside.title")), h("p.hint", {}, why));
