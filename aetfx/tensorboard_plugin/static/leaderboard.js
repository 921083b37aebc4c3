// Which configuration reconstructs best, by how much, how surely, where it still fails, and why.

import { getJson } from "./api.js";
import { answer, arrows, card, count, h, note, percent, short, svg } from "./dom.js";
import { figure } from "./plot.js";

const MANY = 400; // lines drawn at once
const FEW = 6; // so few leave room for the details of the pair below the table

export const leaderboard = (context) => {
  const { board } = context;
  if (!board.configurations.length) {
    return [note("Nothing has been scored in this run", "aetfx compare, diagnose or evaluate score configurations.")];
  }
  const facts = h("dl", { class: "facts" }, board.answer.facts.map((fact) =>
    h("div", null, h("dt", null, fact.title), h("dd", { title: `${fact.value}: ${fact.text}` },
      fact.view && board.has[fact.view] ? h("button", { class: "link", "data-key": `fact-${fact.view}`, onclick: () => context.show({ view: fact.view }) }, fact.value) : fact.value,
      h("span", null, fact.text)))));
  const side = h("aside", { "aria-live": "polite" });
  const below = h("div", { class: "stack pair-more" });
  const pair = pairOf(side, board.configurations.length <= FEW ? below : side);
  const list = listOf(context, pair);
  pair(context);
  const alone = board.configurations.length < 2;
  return [answer(board.answer.headline), facts, alone ? list : h("div", { class: "columns" }, h("div", { class: "stack" }, list, below), side)];
};

const keyOf = {
  score: (item) => item.score ?? Infinity,
  gain: (item) => -(item.gain?.gain ?? -Infinity),
  name: (item) => item.name.toLowerCase(),
  order: (item) => item.place,
};

const settingsOf = (board) => [...new Set(board.configurations.flatMap((item) => item.differs.map(([key]) => key)))].sort();

const settingOf = (item, key) => {
  const full = Object.keys(item.settings || {}).find((name) => name.split(".").pop() === key);
  return full === undefined ? null : item.settings[full];
};

const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));

// The table. Its lines are made once: sorting and filtering move them, picking marks them.
const listOf = (context, onpick) => {
  const { board, state, keep } = context;
  const axis = scaleOf(board);
  const columns = settingColumns(board);
  const settings = settingsOf(board);
  const ranks = new Map([...board.configurations].filter((item) => item.score !== null)
    .sort((a, b) => a.score - b.score).map((item, i) => [item.id, i + 1]));
  const pick = (identity, slot) => {
    const now = context.picked(identity, slot);
    lines.forEach((line) => line.mark(now.picks));
    onpick(now);
  };
  const lines = board.configurations.map((item) => line(item, ranks.get(item.id), axis, columns, pick));
  lines.forEach((made) => made.mark(context.picks));

  const body = h("tbody");
  const counted = h("span", { class: "quiet small" });
  const nothing = h("p", { class: "quiet empty" }, "No configuration matches the filter.");
  const scored = ranks.size;
  const fill = () => {
    const sort = state.sort || "score";
    const wanted = (state.filter || "").trim().toLowerCase().split(/\s+/).filter(Boolean);
    const keyFor = keyOf[sort] || ((item) => settingOf(item, sort) ?? "\uffff");
    const shown = lines.filter((made) => wanted.every((word) => made.words.includes(word)))
      .sort((a, b) => compare(keyFor(a.item), keyFor(b.item)) || compare(keyOf.score(a.item), keyOf.score(b.item)));
    body.replaceChildren(...shown.slice(0, MANY).map((made) => made.node));
    nothing.hidden = shown.length > 0;
    order.value = sort;
    counted.textContent = shown.length > MANY ? `the first ${MANY} of ${count(shown.length)}` : shown.length < lines.length ? `${shown.length} of ${lines.length}`
      : `${count(scored)} scored${board.rows?.scored ? ` on ${count(board.rows.scored)} rows` : ""}`;
  };
  const sortBy = (key) => { keep({ sort: key === "score" ? null : key }); fill(); };

  const filter = h("input", {
    type: "search", placeholder: settings.length ? `Filter, e.g. ${settings[0]}=` : "Filter", "aria-label": "Filter configurations", value: state.filter || "", "data-key": "filter",
    oninput: (event) => { keep({ filter: event.target.value || null }); fill(); },
  });
  const order = h("select", { "aria-label": "Sort by", "data-key": "sort", onchange: (event) => sortBy(event.target.value) },
    [["score", "best score first"], ["gain", "gain over the baseline"], ["name", "name"], ["order", "order of the study"], ...settings.map((key) => [key, key])]
      .map(([key, words]) => h("option", { value: key }, words)));
  arrows(body, "tr", ["ArrowUp", "ArrowDown"]);
  body.addEventListener("keydown", (event) => {
    const slot = ["a", "b"].indexOf(event.key.toLowerCase());
    const row = event.target.closest("tr");
    if (slot >= 0 && row && !event.ctrlKey && !event.metaKey) pick(row.dataset.id, slot);
    if (event.key === "Enter" && event.target === row && board.has.rows) context.show({ ...context.picking(row.dataset.id, 0), view: "rows" });
  });
  const marks = axis.marks.filter((mark, i) => axis.marks.findIndex((other) => other.word === mark.word) === i).map((mark) => h("span", { class: "key", title: mark.name }, h("i", { class: mark.kind }), mark.word));
  const table = h("table", { class: "board" },
    h("thead", null, h("tr", null, h("th", { class: "number", scope: "col" }, "#"), h("th", { scope: "col" }, "Pick"),
      columns ? columns.map((key) => h("th", { scope: "col", class: "setting" }, h("button", { class: "plain-head", "data-key": `head-${key}`, onclick: () => sortBy(state.sort === key ? "score" : key) }, key.replaceAll("_", " ")))) : h("th", { scope: "col" }, "Configuration"),
      h("th", { class: "forest", scope: "col" }, axisHead(axis, board, marks)),
      h("th", { class: "number", scope: "col" }, "Score"), h("th", { class: "number", scope: "col" }, "Against baseline"))), body);
  fill();
  return h("div", { class: "list" }, h("div", { class: "tools" }, filter, h("label", null, "Sort ", order), counted), table, nothing,
    h("p", { class: "quiet small keys" }, "Arrow keys move, A and B pick, Enter shows rows, 1 to 6 change the view."));
};

// Settings as columns where they tell all configurations apart and fit; else one column with names.
const settingColumns = (board) => {
  const keys = settingsOf(board);
  const shown = (item) => keys.map((key) => String(settingOf(item, key) ?? "")).join("\n");
  const told = new Set(board.configurations.map(shown)).size === board.configurations.length;
  const brief = board.configurations.every((item) => keys.every((key) => String(settingOf(item, key) ?? "").length <= 14));
  return keys.length > 0 && keys.length <= 4 && told && brief ? keys : null;
};

// A line of the table: its node, what a filter looks at, and how it shows what is picked.
const line = (item, rank, axis, columns, pick) => {
  const buttons = item.score === null ? [] : [0, 1].map((slot) => h("button", {
    class: `pick p${slot}`, "aria-label": `Pick ${item.name} as ${"AB"[slot]}`, "data-key": `${slot}-${item.id}`,
    onclick: () => pick(item.id, slot), tabindex: "-1",
  }, "AB"[slot]));
  const chips = item.differs.slice(0, 4).map(([key, value]) => h("span", { class: "chip" }, h("span", null, key), ` ${value}`));
  const why = item.failed ? `failed: ${item.failed}` : item.dropped_at ? `dropped at epoch ${item.dropped_at}` : "not scored";
  const facts = [item.codes ? `code of ${item.codes}` : "", item.seeds ? `${item.seeds} seed${item.seeds > 1 ? "s" : ""}` : ""].filter(Boolean).join(", ");
  const gain = item.gain;
  const drawn = item.score === null ? null : whisker(item, axis);
  const node = h("tr", { tabindex: "0", "data-id": item.id, "data-key": `row-${item.id}`, "aria-label": `${item.name}, score ${short(item.score)}` },
    h("td", { class: "number quiet" }, rank || ""),
    h("td", { class: "picks" }, buttons),
    columns ? columns.map((key, i) => {
      const value = settingOf(item, key);
      const differs = item.differs.some(([name]) => name === key);
      return h("td", { class: differs ? "setting differs" : "setting", title: item.name }, value === null ? "" : String(value),
        i === 0 && (item.score === null || item.n_not_finite > 0) && trouble(item, why));
    }) : h("td", { class: "what", title: [item.name, facts].filter(Boolean).join(", ") }, item.place === 0 || !chips.length ? h("b", null, item.name) : chips, trouble(item, why)),
    h("td", { class: "forest" }, drawn),
    h("td", { class: "number score" }, short(item.score), item.low !== null && item.low !== undefined && h("span", { class: "quiet" }, span(item.low, item.high))),
    h("td", { class: "number" }, item.place === 0 ? h("span", { class: "quiet" }, "baseline") : gain ? [gainWords(gain), gain.low !== null && h("span", { class: "quiet" }, gainSpan(gain.low, gain.high))] : ""));
  const mark = (picks) => {
    const chosen = picks.indexOf(item.id);
    node.className = chosen >= 0 ? `picked p${chosen}` : "";
    buttons.forEach((button, slot) => button.setAttribute("aria-pressed", String(chosen === slot)));
    drawn?.lastChild.setAttribute("class", chosen >= 0 ? `dot p${chosen}` : "dot");
  };
  const words = `${item.name} ${item.differs.map(([key, value]) => `${key}=${value}`).join(" ")} ${item.failed || ""}`.toLowerCase();
  return { item, node, mark, words };
};

const trouble = (item, why) => [item.score === null && h("span", { class: "quiet small facts-inline" }, why),
  item.n_not_finite > 0 && h("span", { class: "flag" }, `${count(item.n_not_finite)} rows not finite`)];

const signed = (gain) => (gain === null || gain === undefined ? "?" : gain < -1 ? `×${(1 - gain).toFixed(1)}` : `${gain >= 0 ? "−" : "+"}${percent(Math.abs(gain))}`);
const gainSpan = (one, other) => {
  const [low, high] = Math.abs(one) <= Math.abs(other) ? [one, other] : [other, one];
  return signed(low) === signed(high) ? `${(-100 * low).toFixed(1).replace("-", "−")} to ${(-100 * high).toFixed(1).replace("-", "−")} %` : `${signed(low)} to ${signed(high)}`;
};
const span = (low, high) => (short(low) === short(high) ? `${low.toPrecision(3)}–${high.toPrecision(3)}` : `${short(low)}–${short(high)}`);
// Only what its interval tells apart from the baseline is stressed.
const gainWords = ({ gain, low, high }) => h("b", { class: low > 0 ? "good" : high < 0 && high !== null ? "bad" : "unsure" }, signed(gain));

// One axis for all lines: logarithmic where scores span more than a factor of 12.
const scaleOf = (board) => {
  const scored = board.configurations.filter((item) => item.score !== null);
  const marks = board.references.filter((item) => item.score !== null && item.score !== undefined)
    .map((item) => ({ name: item.name, score: item.score, ...(/mean/.test(item.name) ? { kind: "mean", word: "mean" } : { kind: "pca", word: /PCA/.test(item.name) ? "PCA" : item.name }) }));
  const baseline = board.configurations[0];
  if (baseline && baseline.score !== null) marks.push({ name: "baseline", score: baseline.score, kind: "base", word: "baseline" });
  const values = [...scored.flatMap((item) => [item.score, item.low ?? item.score, item.high ?? item.score]), ...marks.map((mark) => mark.score)].filter((v) => v > 0);
  const top = Math.min(4, Math.max(...values, 0.01));
  const least = Math.max(1e-5, Math.min(...values, top));
  const log = top / least > 12;
  const low = log ? least / 1.15 : 0;
  const high = log ? top * 1.15 : top * 1.04;
  const at = (value) => {
    const v = Math.min(high, Math.max(low, value));
    return 100 * (log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low));
  };
  return { at, log, low, high, marks, ticks: ticks(low, high, log) };
};

const ticks = (low, high, log) => {
  const found = [];
  if (log) {
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const step of high / low > 200 ? [1] : [1, 3]) {
        const value = step * 10 ** power;
        if (value >= low && value <= high) found.push(value);
      }
    }
    return found;
  }
  const step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].find((size) => high / size < 6) || 1;
  for (let value = 0; value <= high; value += step) found.push(value);
  return found;
};

const axisHead = (axis, board, lines) => h("div", { class: "axis" }, axis.ticks.map((value) =>
  h("span", { style: { left: `${axis.at(value)}%` } }, Number(value.toPrecision(2)).toString())),
  h("em", { title: `Share of the ${board.metric === "deviance" ? "deviance" : "variance"} that is lost; whiskers: 95 % interval` }, lines));

const whisker = (item, axis) => {
  const x = (value) => `${axis.at(value)}%`;
  const parts = axis.marks.map((mark) => svg("line", { x1: x(mark.score), x2: x(mark.score), y1: 0, y2: "100%", class: `mark ${mark.kind}` }));
  if (item.low !== null && item.low !== undefined && item.high !== null) {
    parts.push(svg("line", { x1: x(item.low), x2: x(item.high), y1: "50%", y2: "50%", class: "span" }));
  }
  parts.push(svg("circle", { cx: x(item.score), cy: "50%", r: 4.5, class: "dot" }));
  const words = `${item.name}: ${short(item.score)}${item.low !== null && item.low !== undefined ? ` (${short(item.low)} to ${short(item.high)})` : ""}`;
  return svg("svg", { class: "whisker", role: "img", "aria-label": words }, svg("title", null, words), ...parts);
};

// Returns what fills the side (and, where there is room, the place below the table) with the pair of a context.
const pairOf = (side, more) => {
  let turn = 0; // an answer that comes late does not overwrite a newer one
  return async (context) => {
    const mine = ++turn;
    if (context.picks.length < 2) {
      side.replaceChildren(card("Compare two", "Pick A and B in the table to see their paired difference."));
      return;
    }
    if (!side.childElementCount) side.append(h("div", { class: "card pair" }, h("p", { class: "quiet" }, "Comparing …")));
    let found;
    try {
      found = await getJson("pair", context.ask);
    } catch (problem) {
      if (mine === turn) side.replaceChildren(card("A against B", problem.message));
      return;
    }
    if (mine !== turn) return;
    const [a, b] = context.names;
    const heads = h("p", { class: "versus" }, h("span", { class: "swatch p0" }, "A"), a, h("span", { class: "quiet" }, " against "), h("span", { class: "swatch p1" }, "B"), b);
    const parts = [h("section", { class: "card pair" }, heads, h("p", { class: "say" }, found.sentence))];
    if (found.figure) {
      parts.push(figure(found.figure, { onclick: (point) => context.show({ view: "rows", order: `at:${point.customdata}` }) }));
    }
    const details = [found.slices.length && card("Slice by slice", null, both(found.slices)),
      found.features.length && card("Features that differ most", null, both(found.features))].filter(Boolean);
    if (more === side) parts.push(...details);
    else more.replaceChildren(...details);
    side.replaceChildren(...parts);
    document.documentElement.dataset.pair = `${context.picks[0]} ${context.picks[1]}`;
  };
};

// A list of names, each with the scores of A and B as two dots on one line.
export const both = (lines) => {
  const most = Math.max(...lines.flatMap((item) => [item.a, item.b]), 0.01);
  return h("table", { class: "both" }, h("tbody", null, lines.map((item) => h("tr", null,
    h("th", { scope: "row", title: item.name }, item.name, item.n_rows ? h("span", { class: "quiet" }, ` ${count(item.n_rows)}`) : null),
    h("td", { class: "dots" }, svg("svg", { role: "img", "aria-label": `A ${short(item.a)}, B ${short(item.b)}` },
      svg("line", { x1: `${(96 * Math.min(item.a, item.b)) / most + 2}%`, x2: `${(96 * Math.max(item.a, item.b)) / most + 2}%`, y1: "50%", y2: "50%", class: "span" }),
      svg("circle", { cx: `${(96 * item.b) / most + 2}%`, cy: "50%", r: 4, class: "dot p1" }),
      svg("circle", { cx: `${(96 * item.a) / most + 2}%`, cy: "50%", r: 4, class: "dot p0" }))),
    h("td", { class: "number" }, short(item.a)), h("td", { class: "number quiet" }, short(item.b))))));
};

// A sweep that is still running: no score is final.
export const sweep = ({ board }) => {
  const standings = [...board.standings].sort((a, b) => (a.score ?? Infinity) - (b.score ?? Infinity));
  const ended = standings.filter((item) => item.ended).length;
  const best = standings.find((item) => item.score !== null);
  const line = (item) => h("tr", null, h("td", { class: "what" }, item.name),
    h("td", { class: "part" }, h("progress", { value: item.part, max: 1, "aria-label": `${percent(item.part)} trained` })),
    h("td", { class: "number" }, item.score === null ? "" : short(item.score)), h("td", { class: "quiet" }, item.ended || (item.part > 0 ? "training" : "waiting")));
  return [answer(best ? `Still training: ${best.name} leads with ${short(best.score)} on the select rows.` : "Still training: no score yet."),
    h("p", { class: "quiet" }, `${ended} of ${standings.length} configurations have ended. Scores of a running sweep are those of the rows that choose, not of those that confirm.`),
    card(null, null, h("table", null, h("thead", null, h("tr", null, h("th", null, "Configuration"), h("th", null, "Trained"), h("th", { class: "number" }, "Score so far"), h("th", null, ""))),
      h("tbody", null, standings.map(line))))];
};
