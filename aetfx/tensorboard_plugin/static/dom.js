// Elements and words. Text from a run only ever becomes a text node: nothing here takes HTML.

const SVG = "http://www.w3.org/2000/svg";

const fill = (node, attributes, children) => {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(node.style, value);
    else if (key === "data") Object.assign(node.dataset, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child).replaceAll(" %", "\u00a0%")); // a share stays in one line
  }
  return node;
};

export const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// Two or three significant digits, as `aetfx.figures.theme.short` words them.
export const short = (value) => {
  if (value === null || value === undefined || !Number.isFinite(value)) return "?";
  const size = Math.abs(value);
  for (const [unit, letter] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (size >= unit) {
      const scaled = value / (letter === "k" ? 1e3 : unit);
      return `${Math.abs(scaled) >= 10 ? Math.round(scaled) : scaled.toFixed(1)}${letter}`;
    }
  }
  if (size >= 1000) return Math.round(value).toLocaleString("en");
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, "");
  if (size >= 0.1 || value === 0) return value.toFixed(2);
  return Number(value.toPrecision(2)).toString().includes("e") ? value.toExponential(1) : plain(value);
};
const plain = (value) => {
  const digits = Math.max(0, 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 12));
};

export const percent = (value) => {
  if (value === null || value === undefined || !Number.isFinite(value)) return "?";
  const share = 100 * value;
  if (Math.abs(share) < 0.05) return "0 %";
  return `${share.toFixed(Math.abs(share) < 1 || (share >= 99.5 && share < 99.95) ? 1 : 0)} %`;
};

export const count = (value) => Number(value).toLocaleString("en");

// A sentence above a plot.
export const answer = (text, ...more) => h("div", { class: "answer" }, h("h1", null, text), ...more);

export const card = (title, caption, ...content) =>
  h("section", { class: "card" }, title && h("h2", null, title), caption && h("p", { class: "quiet small" }, caption), ...content);

export const note = (title, text, ...more) =>
  h("div", { class: "note", role: "status" }, h("h1", null, title), text && h("p", { class: "quiet" }, text), ...more);

// Moves the focus among the elements of a group with the arrow keys.
export const arrows = (group, selector, keys = ["ArrowLeft", "ArrowRight"]) => {
  group.addEventListener("keydown", (event) => {
    const step = keys.indexOf(event.key);
    if (step < 0) return;
    const items = [...group.querySelectorAll(selector)];
    const here = items.indexOf(document.activeElement.closest(selector));
    if (here < 0) return;
    event.preventDefault();
    items[Math.min(items.length - 1, Math.max(0, here + (step ? 1 : -1)))].focus();
  });
};
