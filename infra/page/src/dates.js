// Reads dates in the orders that people write them, and says when a column of them can be read in two.

const ISO = /^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})([T ].*)?$/;
const PLAIN = /^(\d{4})(\d{2})(\d{2})$/;
const OTHER = /^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})([T ].*)?$/;

/** Whether a text looks like a date, whichever its order. */
export const looksLikeDate = (text) => ISO.test(text) || OTHER.test(text);

/** One date as YYYY-MM-DD in an order ("dmy" or "mdy"); null where it is none. */
export function readDate(text, order) {
  const plain = text.trim();
  let found = ISO.exec(plain) ?? PLAIN.exec(plain);
  if (found) return iso(+found[1], +found[2], +found[3]);
  found = OTHER.exec(plain);
  if (!found) return null;
  const year = found[3].length === 2 ? 2000 + +found[3] : +found[3];
  return order === "mdy" ? iso(year, +found[1], +found[2]) : iso(year, +found[2], +found[1]);
}

/** The order of these dates: `order`, whether a person has to decide (`isOpen`), and the `options` there are. */
export function orderOf(texts, chosen = null) {
  const unsure = texts.filter((text) => OTHER.test(text.trim()));
  if (!unsure.length) return { order: "dmy", options: [], isOpen: false };
  let options = ["dmy", "mdy"].filter((order) => unsure.every((text) => readDate(text, order)));
  if (!options.length) {
    const bad = (order) => unsure.filter((text) => !readDate(text, order)).length;
    options = [bad("mdy") < bad("dmy") ? "mdy" : "dmy"];
  }
  if (options.length === 2) {
    const same = unsure.every((text) => readDate(text, "dmy") === readDate(text, "mdy"));
    const sorted = options.filter((order) => isSorted(texts.map((text) => readDate(text, order))));
    if (same) options = ["dmy"];
    else if (sorted.length === 1) options = [sorted[0], ...options.filter((order) => order !== sorted[0])];
    else if (!options.includes(chosen)) return { order: "dmy", options, isOpen: true };
  }
  return { order: options.includes(chosen) ? chosen : options[0], options, isOpen: false };
}

function isSorted(days) {
  const known = days.filter(Boolean);
  const rises = known.every((day, i) => !i || known[i - 1] < day);
  return rises || known.every((day, i) => !i || known[i - 1] > day);
}

function iso(year, month, day) {
  const made = new Date(Date.UTC(year, month - 1, day));
  if (made.getUTCMonth() !== month - 1 || made.getUTCDate() !== day || year < 1700) return null;
  return made.toISOString().slice(0, 10);
}
