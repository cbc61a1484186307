// The request and the answer to take along: the shell's line, and the downloads.

import { copyButton, h } from "./dom.js";
import { csv, save } from "./downloads.js";
import { curl } from "./request.js";
import { t } from "./words.js";

export function useSection(asked) {
  const line = curl(asked.url, asked.body);
  const name = asked.series.length === 1 ? (asked.series[0].id || "forecast").replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 60) : "forecasts";
  const table = () => csv(asked.forecasts.map((one, at) => ({ ...one, id: asked.series[at].id })), asked.series.map((one) => asked.body.last_date ?? one.dates?.at(-1)));
  return h("section.panel", { id: "use" },
    h("div.section-head", {}, h("h2", {}, t("use.title")),
      h("div.row", {},
        h("button.quiet", { type: "button", id: "csv", onclick: () => save(`${name}.csv`, "text/csv", table()) }, t("use.csv")),
        h("button.quiet", { type: "button", id: "json", onclick: () => save(`${name}.json`, "application/json", asked.text) }, t("use.json")))),
    h("div.section-head", {}, h("h3", {}, t("use.curl")), copyButton(t("use.copy"), t("use.copied"), () => line)),
    h("pre.code", { id: "curl", tabindex: "0", role: "region", "aria-label": t("use.curl") }, line),
    h("p.hint", {}, t("use.request")),
  );
}
