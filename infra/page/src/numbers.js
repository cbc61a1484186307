// Reads numbers as people write them, and says when a text can be read in more than one way.

// dot: 1,234.56; comma: 1.234,56; list: a comma stands between two numbers, 41.5,42
const SHAPES = {
  dot: /^[-+]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?(e[-+]?\d+)?$/i,
  comma: /^[-+]?(\d+|\d{1,3}(\.\d{3})+)?(,\d*)?(e[-+]?\d+)?$/i,
  list: /^[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?(,[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?)*$/i,
};
const CURRENCY = /^(R\$|US\$|[$€£¥])/i;

/** A token without its currency sign. */
export const bare = (token) => token.trim().replace(CURRENCY, "").trim();

/** The numbers that one token holds when read in a style; null where it can't be read so. */
export function read(token, style) {
  const text = bare(token);
  if (!/\d/.test(text) || !SHAPES[style].test(text)) return null;
  if (style === "list") return text.split(",").map(Number);
  const plain = style === "dot" ? text.replaceAll(",", "") : text.replaceAll(".", "").replace(",", ".");
  return [Number(plain)];
}

/**
 * How these tokens are to be read.
 *
 * `style` is the one chosen; `options` lists every style that reads them all, where they differ; `isOpen` is true where
 * nothing in the text decides between them, so that a person has to.
 */
export function styleOf(tokens, { inTable = false, chosen = null } = {}) {
  const known = tokens.filter((token) => ["dot", "comma", "list"].some((style) => read(token, style)));
  const styles = inTable ? ["dot", "comma"] : ["dot", "comma", "list"];
  let options = styles.filter((style) => known.every((token) => read(token, style)));
  if (!options.length) options = [mostly(known, styles)];
  const seen = new Map();
  for (const style of options) {
    const values = known.map((token) => (read(token, style) ?? []).join(" ")).join(" ");
    if (!seen.has(values)) seen.set(values, style);
  }
  options = [...seen.values()];
  if (options.includes(chosen)) return { style: chosen, options, isOpen: false };
  return { style: preferred(known, options), options, isOpen: isOpen(known, options) };
}

function mostly(tokens, styles) {
  const count = (style) => tokens.filter((token) => read(token, style)).length;
  return styles.reduce((best, style) => (count(style) > count(best) ? style : best));
}

/** 32,50 or 1.234,56 is a decimal comma; 1,234.56 a thousands comma. */
function preferred(tokens, options) {
  if (options.includes("comma") && !options.includes("dot")) return "comma";
  return options[0];
}

function isOpen(tokens, options) {
  if (options.length < 2) return false;
  if (options.includes("dot") && options.includes("comma")) return true; // every mark has three digits behind it: 1,234
  if (options.includes("list") && options.includes("dot")) {
    return !tokens.some((token) => token.includes(",") && token.includes(".")); // 100,101,102
  }
  return false;
}
