// The page of GET /docs: the server's own OpenAPI description, drawn.

import { $, copyButton, fill, h } from "./dom.js";
import { ask, base, curl, Refused } from "./request.js";
import { settle } from "./settings.js";
import { t, translate } from "./words.js";

const root = base("docs");
let [description, failed] = [null, false];

function paint() {
  document.title = t("docs.title");
  translate();
  $("to-page").href = `${root}/`;
  const main = $("reference");
  if (!description) {
    fill(main, h("h1", {}, t("docs.heading")), h("p", { role: "status" }, t(failed ? "docs.failed" : "docs.loading")));
    return;
  }
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).filter(([method]) => method !== "parameters" && method !== "head").map(([method, operation]) => ({ path, method, operation })));
  const schemas = Object.entries(description.components.schemas);
  const tags = [...new Set(operations.map(({ operation }) => operation.tags[0]))];
  const item = (href, ...children) => h("li", {}, h("a", { href }, ...children));
  fill($("contents"),
    tags.map((tag) => [h("h2", {}, tag), h("ul", {}, operations.filter(({ operation }) => operation.tags[0] === tag)
      .map(({ path, method, operation }) => item(`#${operation.operationId}`, badge(method), path)))]).flat(),
    h("h2", {}, t("docs.schemas")), h("ul", {}, schemas.map(([name]) => item(`#type-${name}`, name))));
  fill(main,
    h("div.intro", {}, h("h1", {}, t("docs.heading")), h("p", {}, description.info.summary), text(description.info.description),
      h("p.hint", {}, `${t("docs.lead")} `, h("a", { href: `${root}/openapi.json` }, t("docs.raw")), ` · ${description.info.title} ${description.info.version}`)),
    operations.map(section),
    h("section.panel", { id: "types" }, h("h2", {}, t("docs.schemas")), schemas.map(([name, schema]) =>
      h("div.schema", { id: `type-${name}` }, h("h3", {}, name), text(schema.description), fields(schema)))));
  main.setAttribute("aria-busy", "false");
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

const badge = (method) => h(`span.method.${method}`, {}, method.toUpperCase());
/** A description: paragraphs, with `code` between backticks. */
const text = (words) => words && words.split("\n\n").map((part) => h("p.soft", {}, part.split("`").map((piece, i) => (i % 2 ? h("code", {}, piece) : piece))));
const pretty = (value) => JSON.stringify(value, null, 1).replace(/\[[-+\s\d.,e]+\]/g, (list) => list.replace(/\s+/g, " "));
const block = (label, value) => h("pre.code", { tabindex: "0", role: "region", "aria-label": label }, value);

function section({ path, method, operation }) {
  const body = operation.requestBody?.content["application/json"];
  const answer = operation.responses["200"];
  const [kind, content] = Object.entries(answer.content ?? {})[0] ?? [];
  const examples = Object.entries(body?.examples ?? {});
  const url = `${location.origin}${root}${path.replace(/\{(\w+)\}/g, (_, name) => parameterExample(path, name))}`;
  const line = body ? (examples.length ? curl(url, examples[0][1].value) : null) : `curl -s '${url}'`;
  const parameters = description.paths[path].parameters ?? [];
  const refusals = Object.entries(operation.responses).filter(([status]) => status !== "200");
  return h("section.panel.operation", { id: operation.operationId, "aria-labelledby": `${operation.operationId}-title` },
    h("h2", { id: `${operation.operationId}-title` }, badge(method), h("code", {}, path), h("span.soft", {}, operation.summary)),
    text(operation.description),
    parameters.length > 0 && [h("h3", {}, t("docs.parameters")), rows(parameters.map((one) => [one.name, one.required, one.schema]))],
    body && [h("h3", {}, t("docs.request")), h("p", {}, type(body.schema)), references(body.schema).map(unfolded)],
    kind && [h("h3", {}, t("docs.answers")), h("p", {}, h("code", {}, `200 ${kind}`), " ", type(content.schema)), references(content.schema).map(unfolded)],
    examples.map(([name, { value }]) => h("div.pair", {},
      h("div", {}, h("h3", {}, `${t("docs.example")}: ${name}`), block(`${t("docs.request")} ${name}`, pretty(value))),
      h("div", {}, h("h3", {}, t("docs.answered")), block(`${t("docs.answered")} ${name}`, pretty(content.examples?.[name]?.value ?? null))))),
    refusals.length > 0 && h("details", {}, h("summary", {}, refusals.map(([status]) => status).join(", ")),
      h("div.scroll", { tabindex: "0", role: "region", "aria-label": t("docs.answers") }, h("table.fields", {}, h("tbody", {}, refusals.map(([status, found]) =>
        h("tr", {}, h("th", { scope: "row" }, status), h("td", {}, resolve(found).description))))))),
    line && [h("div.head", {}, h("h3", {}, t("docs.shell")), copyButton(t("use.copy"), t("use.copied"), () => line)), block(`${t("docs.shell")}: ${operation.operationId}`, line)],
    tryIt(url, method, examples[0]?.[1].value, operation));
}

const references = (schema) => (schema.anyOf ?? schema.oneOf ?? [schema]).filter((one) => one.$ref).map((one) => one.$ref.split("/").at(-1));
const unfolded = (name) => h("details", {}, h("summary", {}, `${name}: ${t("docs.schema").toLowerCase()}`), text(description.components.schemas[name].description), fields(description.components.schemas[name]));
const parameterExample = (path, name) => description.paths[path].parameters?.find((one) => one.name === name)?.schema.examples?.[0] ?? name;

/** Ask this server, and show what it says. */
function tryIt(url, method, example, operation) {
  if (method === "post" && !example) return null;
  const id = `try-${operation.operationId}`;
  const area = method === "post" && h("textarea", { id, spellcheck: "false" });
  if (area) area.value = pretty(example);
  const said = h("div", { role: "status" });
  const button = h("button.quiet", { type: "button" }, t("docs.send"));
  button.addEventListener("click", async () => {
    said.textContent = t("docs.sending");
    try {
      const response = await fetch(url, area ? { method: "POST", headers: { "Content-Type": "application/json" }, body: area.value } : {});
      const answered = await response.text();
      fill(said, h("p", {}, t("docs.status", { status: response.status })), block(t("docs.answered"), shown(answered)));
    } catch {
      said.textContent = t("failed.0");
    }
  });
  return h("details", {}, h("summary", {}, t("docs.tryIt")), h("div.try", {}, area && [h("label", { for: id }, t("docs.body")), area], button, said));
}

function shown(answered) {
  try {
    return pretty(JSON.parse(answered)).slice(0, 20_000);
  } catch {
    return answered.slice(0, 20_000);
  }
}

const resolve = (part) => (part.$ref ? part.$ref.split("/").slice(1).reduce((found, key) => found[key], description) : part);

/** A schema in a word or a few, references as links. */
function type(schema) {
  if (schema === undefined || schema === true) return h("span.type", {}, t("docs.anything"));
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return h("a.type", { href: `#type-${name}` }, name);
  }
  const many = schema.anyOf ?? schema.oneOf;
  if (many) return h("span", {}, many.flatMap((one, i) => (i ? [` ${t("docs.or")} `, type(one)] : [type(one)])));
  if (schema.enum) return h("span.type", {}, schema.enum.map((one) => JSON.stringify(one)).join(" | "));
  if ("const" in schema) return h("span.type", {}, JSON.stringify(schema.const));
  if (schema.type === "array") return h("span", {}, `${t("docs.listOf", { of: "" })}`, type(schema.items || undefined), bounds(schema));
  const name = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type ?? t("docs.anything");
  return h("span", {}, h("span.type", {}, schema.format ? `${name} (${schema.format})` : name), bounds(schema));
}

function bounds(schema) {
  const unit = (key) => (key.endsWith("Items") ? ` ${t("docs.items")}` : key.endsWith("Length") ? ` ${t("docs.letters")}` : "");
  const found = Object.entries(t("docs.bounds")).filter(([key]) => schema[key] !== undefined).map(([key, words]) => `${words} ${schema[key]}${unit(key)}`);
  return found.length ? h("span.soft", {}, `, ${found.join(", ")}`) : null;
}

/** The members of an object, or what the schema is. */
function fields(schema) {
  if (!schema.properties) return h("p", {}, type(schema));
  const required = new Set(schema.required ?? []);
  return rows(Object.entries(schema.properties).map(([name, one]) => [name, required.has(name), one]));
}

function rows(members) {
  return h("div.scroll", {}, h("table.fields", {}, h("tbody", {}, members.map(([name, must, schema]) =>
    h("tr", {}, h("th", { scope: "row" }, h("code", {}, name), must && h("span.must", {}, t("docs.required"))), h("td", {}, type(schema), text(schema.description)))))));
}

async function start() {
  settle(paint);
  paint();
  try {
    description = (await ask(`${root}/openapi.json`)).found;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    failed = true;
  }
  paint();
}

start();
