// What is wrong with the data: findings, and a histogram of each column.

import { getJson } from "./api.js";
import { answer, card, count, h, svg } from "./dom.js";
import { figure } from "./plot.js";

const CHUNK = 48; // histograms added at a time
const SIZE = 1000;
const TALL = 100;
const WORDS = { error: "Error", warning: "Warning", info: "Worth knowing" };

export const data = async (context) => {
  const { answer: sentence, data: found, prepared } = await getJson("data", { run: context.run });
  const figures = prepared.map((made) => figure(made));
  if (!found) return [answer(sentence), h("div", { class: "columns even" }, figures)];
  const rows = Object.entries(found.rows || {}).map(([split, n]) =>
    `${split}: ${count(n.read ?? 0)} rows read${n.quarantined ? `, ${count(n.quarantined)} could not be used` : ""}`).join("; ");
  const list = h("div", { class: "stack" }, found.findings.map((item, i) => finding(item, i)),
    found.n_findings > found.findings.length && h("p", { class: "quiet" }, `${count(found.n_findings - found.findings.length)} more are in findings.json.`),
    found.anomalies.length ? card("What breaks the schema", null, h("ul", { class: "plain" }, found.anomalies.map((item) => h("li", null, h("b", null, item.feature || "all columns"), " ", item.description)))) : null,
    figures);
  const grid = h("div", { class: "histograms" });
  const box = found.columns.length ? columns(found, context, grid) : null;
  return [answer(sentence, rows && h("p", { class: "small" }, `${rows}.`)), h("div", { class: box ? "columns data" : "" }, list, box)];
};

const finding = (item, i) => h("section", { class: "card finding", id: `finding-${i}` },
  h("p", { class: "small" }, h("span", { class: `sign ${item.severity}` }), h("b", null, WORDS[item.severity] || item.severity), h("span", { class: "quiet tag" }, item.code)),
  sentence(item.message || item.code),
  item.columns.length ? h("p", { class: "quiet small" }, item.columns.slice(0, 6).join(", "), item.n_columns > 6 && ` and ${count(item.n_columns - 6)} more`) : item.feature && h("p", { class: "quiet small" }, item.feature),
  item.remedy && h("p", { class: "remedy" }, item.remedy));

// What is seen in bold, what follows from it behind it.
const sentence = (text) => {
  const [head, ...rest] = text.split("; ");
  const capital = (words) => words.slice(0, 1).toUpperCase() + words.slice(1);
  return [h("h2", null, capital(head)), rest.length > 0 && h("p", null, `${capital(rest.join("; ")).replace(/\.$/, "")}.`)];
};

const columns = (found, context, grid) => {
  const texts = found.columns.map((column) => [column.name, ...column.found.map((i) => found.findings[i]?.code || "")].join(" ").toLowerCase());
  const shown = h("span", { class: "quiet small" });
  let chosen = [];
  let drawn = 0;
  const more = () => {
    grid.append(...chosen.slice(drawn, drawn + CHUNK).map((i) => histogram(found.columns[i], found)));
    drawn = Math.min(chosen.length, drawn + CHUNK);
    button.hidden = drawn >= chosen.length;
  };
  const button = h("button", { class: "main", onclick: () => more() }, "More columns");
  const choose = (text) => {
    const wanted = text.trim().toLowerCase();
    chosen = texts.flatMap((words, i) => (words.includes(wanted) ? [i] : []));
    grid.replaceChildren();
    drawn = 0;
    shown.textContent = chosen.length === found.columns.length && found.n_columns === chosen.length ? `${count(chosen.length)} columns` : `${count(chosen.length)} of ${count(found.n_columns)} columns`;
    more();
  };
  const search = h("input", { type: "search", placeholder: "Search columns and findings", "aria-label": "Search columns and findings", value: context.state.filter || "",
    oninput: (event) => { context.keep({ filter: event.target.value }); choose(event.target.value); } });
  choose(context.state.filter || "");
  const keys = found.splits.length > 1 && found.splits.map((split, i) => h("span", { class: "key-split" }, h("i", { class: i ? "eval" : "train" }), split));
  return h("div", { class: "stack" }, h("div", { class: "tools-line" }, search, shown, h("span", { class: "pager" }, keys)), grid, button);
};

// The first split is filled; the others are outlines upon it (as in `validation.html`).
const filled = (bars) => bars.map(([a, b, tall]) => `M${a} ${TALL}V${TALL - tall}H${b}V${TALL}Z`).join("");
const outline = (bars) => {
  let path = "", last = null;
  for (const [a, b, tall] of bars) {
    path += last !== null && a <= last + 1 ? `L${a} ${TALL - tall}` : `${last === null ? "" : `V${TALL}`}M${a} ${TALL}V${TALL - tall}`;
    path += `H${b}`;
    last = b;
  }
  return path && `${path}V${TALL}`;
};

const histogram = (column, found) => {
  const sign = ["error", "warning", "info"][column.severity];
  const node = h("section", { class: "card histogram" }, h("h2", { title: column.name }, sign && h("span", { class: `sign ${sign}` }), column.name));
  if (column.plot) {
    const { plot } = column;
    node.append(svg("svg", { viewBox: `0 0 ${SIZE} ${TALL}`, preserveAspectRatio: "none", role: "img", "aria-label": `Histogram of ${column.name} from ${plot.low} to ${plot.high}` },
      plot.bars.map((bars, i) => bars.length > 0 && svg("path", { d: i === 0 ? filled(bars) : outline(bars), class: i ? "eval" : "train" }))),
    h("div", { class: "ends" }, h("span", { class: plot.far[0] ? "bad" : null }, plot.below === null ? plot.low : `◂ ${plot.below}`), h("span", { class: plot.far[1] ? "bad" : null }, plot.above === null ? plot.high : `${plot.above} ▸`)));
  } else if (column.top) {
    const most = Math.max(...column.top.map(([, n]) => n));
    node.append(h("ol", { class: "plain" }, column.top.map(([value, n]) => h("li", null, h("i", { style: { width: `${(100 * n) / most}%` } }), h("span", null, value), h("span", { class: "quiet" }, count(n))))));
  } else {
    node.append(h("p", { class: "quiet" }, "nothing to draw"));
  }
  node.append(...column.facts.map((facts, i) => h("p", { class: "quiet small" }, found.splits.length > 1 && `${found.splits[i]}: `, facts.join(" · "))));
  return node;
};
