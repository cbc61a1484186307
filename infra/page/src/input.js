// The form: text, file or example in; what was read, asked and refused, each said at its field.

import { $, fill, h } from "./dom.js";
import { EXAMPLES } from "./examples.js";
import { count, plainDay, price, size } from "./format.js";
import { readDate } from "./dates.js";
import { read } from "./numbers.js";
import { parse } from "./parse.js";
import { t } from "./words.js";

const WEEKDAYS = "weekdays"; // the API's calendar where none is named
export const LARGEST_FILE = 20e6; // bytes; the last closes of a thousand series are one
const FIELDS = { prices: "prices-fault", horizon: "horizon-fault", last_date: "last-date-fault", calendar: "calendar-fault" };

export class Input {
  /** `limits` are the model's; `ready(asked)` is called with a request's parts, `changed()` whenever they are no longer those. */
  constructor(limits, { ready, changed }) {
    Object.assign(this, { limits, ready, changed, file: null, chosen: {}, parsed: parse(""), latin: false, faults: {}, refusedFile: null });
    this.listen();
    this.words();
  }

  listen() {
    const text = $("prices");
    text.addEventListener("input", () => this.edited());
    text.addEventListener("paste", () => requestAnimationFrame(() => this.parsed.questions.length || this.parsed.faults.length || this.isShort() || this.submit()));
    text.addEventListener("keydown", (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && this.submit());
    $("file").addEventListener("change", () => {
      const [file] = $("file").files;
      $("file").value = "";
      if (file) this.take(file);
    });
    $("clear").addEventListener("click", () => {
      text.value = "";
      this.drop();
      text.focus();
    });
    $("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    for (const name of ["horizon", "last-date", "calendar"]) {
      $(name).addEventListener("change", () => {
        this.fault(name.replace("-", "_"), []);
        this.changed();
      });
    }
    const veil = $("drop-veil");
    addEventListener("dragover", (event) => {
      if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
      event.preventDefault();
      veil.hidden = false;
    });
    addEventListener("dragleave", (event) => event.relatedTarget === null && (veil.hidden = true));
    addEventListener("drop", (event) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      veil.hidden = true;
      const [file] = event.dataTransfer.files;
      if (event.dataTransfer.files.length > 1) this.refuse("folder", {});
      else this.take(file);
    });
  }

  /** Everything that is said in words, in the language of now. */
  words() {
    fill($("examples"), Object.keys(EXAMPLES).map((name) => h("button.chip-button", { type: "button", "data-example": name, onclick: () => this.example(name) }, t(`examples.${name}`))));
    $("prices-hint").textContent = t("input.hint", { window: this.limits.window });
    const most = this.limits.horizon;
    const [horizon, calendar] = [Math.min($("horizon").value || most, most), $("calendar").value];
    fill($("horizon"), Array.from({ length: this.limits.horizon }, (_, i) => h("option", { value: i + 1 }, String(i + 1))));
    $("horizon").value = horizon;
    const named = this.limits.calendars.filter((name) => name !== WEEKDAYS).map((name) => h("option", { value: name }, t("calendars")[name] ?? name));
    fill($("calendar"), h("option", { value: "" }, t("input.weekdays")), named);
    $("calendar").value = calendar;
    this.say();
  }

  example(name) {
    this.file = null;
    $("prices").value = EXAMPLES[name](this.limits.window);
    $("prices").scrollTop = 0;
    this.edited();
    this.submit();
  }

  edited() {
    if (this.file) {
      this.file = null;
      this.latin = false;
    }
    this.chosen = {};
    this.refusedFile = null;
    this.reread();
  }

  drop() {
    this.file = null;
    this.edited();
  }

  /** Read a file; what was there before stays where this one is refused. */
  async take(file) {
    if (file.size > LARGEST_FILE) {
      return this.refuse("large", { name: file.name, size: size(file.size), most: size(LARGEST_FILE), window: this.limits.window });
    }
    let bytes;
    try {
      bytes = await file.arrayBuffer();
    } catch {
      return this.refuse("unreadable", { name: file.name });
    }
    const { text, isLatin } = decode(bytes);
    const name = file.name.replace(/\.[^.]*$/, "").slice(0, 200);
    const parsed = parse(text, { name });
    if (!parsed.series.length) {
      const code = parsed.faults[0] ?? { code: "no-numbers" };
      return this.refuse(code.code, { ...code, name: file.name }, file.name);
    }
    Object.assign(this, { file: { name, label: file.name, bytes: file.size, text }, latin: isLatin, chosen: {}, refusedFile: null });
    this.reread();
    if (!parsed.questions.length && !parsed.faults.length && !this.isShort()) this.submit();
  }

  refuse(code, values, label = "") {
    this.refusedFile = { code, values, label };
    this.faults = {};
    this.say();
  }

  reread() {
    const text = this.file ? this.file.text : $("prices").value;
    this.parsed = parse(text, { chosen: this.chosen, name: this.file?.name ?? "" });
    this.faults = {};
    this.setDate();
    this.say();
    this.changed();
  }

  /** The day of the last close, if the table has days and all series end on one. */
  setDate() {
    const ends = new Set(this.parsed.series.map((one) => one.dates?.at(-1)));
    const [end] = ends;
    this.isSplit = ends.size > 1 && this.parsed.series.every((one) => one.dates);
    const field = $("last-date");
    if (ends.size === 1 && end) {
      field.value = end;
      this.isFilled = true;
    } else if (this.isFilled) {
      field.value = "";
      this.isFilled = false;
    }
  }

  get series() {
    return this.parsed.series.slice(0, this.limits.most_series);
  }

  isShort() {
    return this.series.length === 1 && this.series[0].prices.length < this.limits.window;
  }

  submit() {
    this.faults = {};
    if (this.parsed.questions.length) {
      this.faults.prices = [() => t("question.first")];
    } else if (!this.parsed.series.length && !this.parsed.faults.length) {
      this.faults.prices = [() => t("fault.empty")];
    } else if (!this.parsed.faults.length && this.isShort()) {
      const [one] = this.series;
      this.faults.prices = [() => this.shortage(one)];
    }
    this.say();
    if (this.faults.prices || this.parsed.faults.length) {
      $("prices").focus();
      return;
    }
    const options = { horizon: Number($("horizon").value) };
    if ($("last-date").value && !this.isSplit) {
      options.last_date = $("last-date").value;
      if ($("calendar").value) options.calendar = $("calendar").value;
    }
    this.ready({ series: this.series, options });
  }

  shortage(one) {
    return t("fault.short", { name: one.id ? `${one.id}: ` : "", count: one.prices.length, window: this.limits.window });
  }

  /** Faults that the server found, at the field that each one's pointer names; gives those that have no field. */
  place(errors) {
    this.faults = {};
    const others = [];
    for (const { pointer, detail } of errors) {
      const [, field] = pointer.split("/");
      const name = field === "series" ? "prices" : field;
      if (name in FIELDS) (this.faults[name] ??= []).push(() => t("failed.at", { place: pointer, detail }));
      else others.push(detail);
    }
    this.say();
    return others;
  }

  fault(field, told) {
    this.faults[field] = told;
    this.say();
  }

  say() {
    const { series, notes, faults, faultCount = 0 } = this.parsed;
    const total = series.reduce((sum, one) => sum + one.prices.length, 0);
    const lines = [];
    if (series.length === 1 && total) {
      const [{ dates }] = series;
      const from = dates ? { from: plainDay(dates[0]), to: plainDay(dates.at(-1)) } : {};
      lines.push(t("read.one", { count: count(total), ...from }) + (total > this.limits.window ? ` ${t("read.last", { window: this.limits.window })}` : ""));
    } else if (series.length) {
      lines.push(t("read.many", { series: count(series.length), count: count(total) }));
    }
    const told = [...notes];
    if (this.latin) told.push({ code: "latin" });
    if (series.length > this.limits.most_series) told.push({ code: "most", series: count(series.length), most: count(this.limits.most_series) });
    if (this.isSplit) told.push({ code: "undated" });
    fill($("read"), lines.map((line) => h("p", {}, line)), told.map((note) => h("p.note", {}, t(`note.${note.code}`, note))));
    const chip = $("chip");
    chip.hidden = !this.file;
    $("prices").hidden = Boolean(this.file);
    if (this.file) {
      fill(chip, h("span", {}, t("read.file", { name: this.file.label, size: size(this.file.bytes) })),
        h("button.quiet", { type: "button", id: "remove", onclick: () => { this.drop(); $("prices").focus(); } }, t("input.remove")));
    }
    this.sayQuestions();
    const read = faults.map((fault) => t(`fault.${fault.code}`, fault));
    if (faultCount > faults.length) read.push(t("fault.more", { count: count(faultCount - faults.length) }));
    if (this.refusedFile) {
      const { code, values, label } = this.refusedFile;
      read.unshift((label ? `${label}: ` : "") + t(`fault.${code}`, values));
    }
    for (const [field, id] of Object.entries(FIELDS)) {
      const own = (this.faults[field] ?? []).map((one) => one());
      const all = field === "prices" ? [...read, ...own] : own;
      fill($(id), all.map((line) => h("p", {}, line)));
      const input = $(id.replace("-fault", ""));
      if (all.length) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
  }

  sayQuestions() {
    const said = this.parsed.choices.map(({ kind, options, chosen, example, isOpen }) => {
      const radios = options.map((option) => {
        const shown = kind === "dates" ? plainDay(readDate(example, option)) : (read(example ?? "", option) ?? []).map(price).join(" · ");
        const radio = h("input", { type: "radio", name: `question-${kind}`, value: option, checked: !isOpen && option === chosen });
        radio.addEventListener("change", () => {
          this.chosen = { ...this.chosen, [kind]: option };
          this.reread();
          document.querySelector(`[name=question-${kind}][value=${option}]`)?.focus();
        });
        return h("label.choice", {}, radio, t(`question.${option}`, { read: shown }));
      });
      return h(isOpen ? "fieldset.question.open" : "fieldset.question", { id: `question-${kind}` }, h("legend", {}, isOpen ? t(`question.${kind}`, { example }) : t("question.told")), radios);
    });
    fill($("questions"), said);
  }
}

/** Bytes as text: UTF-8 or UTF-16 by its mark, else what spreadsheets on Windows write. */
function decode(bytes) {
  const [first, second] = new Uint8Array(bytes.slice(0, 2));
  if (first === 0xff && second === 0xfe) return { text: new TextDecoder("utf-16le").decode(bytes), isLatin: false };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), isLatin: false };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), isLatin: true };
  }
}
