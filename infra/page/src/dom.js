// Makes elements. Text always goes in as text, so that no name of a series is ever markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element of `kind` ("p", "p.note", "svg:path") with attributes, listeners (`onclick`) and children. */
export function h(kind, attributes = {}, ...children) {
  const [name, ...classes] = kind.split(".");
  const node = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked" || key === "disabled") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const $ = (id) => document.getElementById(id);

/** Put children into an element in place of what was there. */
export function fill(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A button that copies what `text()` gives, and says so for a moment. */
export function copyButton(label, done, text) {
  const button = h("button.quiet", { type: "button" }, label);
  button.addEventListener("click", async () => {
    await copy(text());
    button.textContent = done;
    button.addEventListener("blur", () => (button.textContent = label), { once: true });
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text); // not there over plain HTTP from another machine
  } catch {
    const area = h("textarea", { readonly: true, class: "off-screen", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}
