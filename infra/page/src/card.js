// The model card: the verdict in plain words, and the figures it rests on.

import { fill, h } from "./dom.js";
import { count, decimals, percent, plainDay } from "./format.js";
import { t } from "./words.js";

export function showCard(node, card, url) {
  const [word, meaning] = t(`card.verdict.${card.verdict}`);
  const { manifest, parity, evaluation } = card;
  const scores = evaluation?.scores.find((one) => one.part === "all" && one.step === 1)?.methods.efemera;
  const data = manifest.training_data;
  const facts = [
    data && [t("card.trained"), t("card.trainedValue", { series: data.ids.length, from: plainDay(data.first_date), to: plainDay(data.last_date) })],
    [t("card.network"), t("card.networkValue", { cell: manifest.cell.toUpperCase(), layers: manifest.layers, units: manifest.hidden_size, parameters: count(manifest.parameters) })],
    parity.worst && [t("card.parity"), t("card.parityValue", { worst: parity.worst.price_relative.toExponential(0), cases: parity.cases })],
    [t("card.version"), card.model_version],
    [t("card.digest"), card.model_digest],
  ].filter(Boolean);
  fill(node,
    h(`p.verdict.${card.verdict}`, { id: "verdict" }, h("b", {}, word), h("span", {}, meaning)),
    h("div.card-columns", {},
      scores && coverage(scores, evaluation),
      h("dl.facts.plain", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))))),
    h("p", {}, h("a", { href: url }, t("card.raw"))),
  );
}

function coverage(scores, evaluation) {
  const levels = Object.entries(scores.coverage ?? {}).sort(([a], [b]) => a - b);
  const data = evaluation.data;
  const rows = levels.map(([level, { share }]) => {
    const [bar, mark] = [h("span.bar"), h("span.mark")];
    bar.style.width = `${share * 100}%`;
    mark.style.left = `${level}%`;
    const label = t("card.heldLabel", { level, share: percent(share) });
    return h("div.held", {}, h("span", {}, `${level}%`), h("span.track", { role: "img", "aria-label": label }, bar, mark), h("b", {}, percent(share)));
  });
  const ratio = (name, found) => found && h("div", {}, h("dt", {}, name), h("dd", {}, `${decimals(found.ratio)} `, h("span.soft", {}, `[${decimals(found.low)}, ${decimals(found.high)}]`)));
  const compared = (against, measure) => evaluation.comparisons.find((one) => one.step === 1 && one.against === against && one.measure === measure);
  return h("div.coverage", {},
    h("h3", {}, t("card.held")), rows, h("p.hint", {}, `${t("card.promised")}. ${t("card.cases", { cases: count(evaluation.cases), series: data.ids.length, from: plainDay(data.first_cutoff), to: plainDay(data.last_cutoff) })}`),
    h("dl.facts.ratios", {}, ratio(t("card.error"), compared("naive", "absolute error")), ratio(t("card.pinball", { against: "EWMA" }), compared("ewma", "pinball"))),
    h("p.hint", {}, t("card.under")));
}
