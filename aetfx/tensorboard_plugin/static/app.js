// The frame of the dashboard: which run, which view, which configurations; and what happens when one of them changes.

import * as api from "./api.js";
import { arrows, count, h, note, short } from "./dom.js";
import * as plot from "./plot.js";
import * as scale from "./scale.js";
import * as address from "./state.js";
import { leaderboard, sweep } from "./leaderboard.js";
import { errors } from "./errors.js";
import { rows } from "./rows.js";
import { latent } from "./latent.js";
import { data } from "./data.js";
import { diagnosis } from "./diagnosis.js";

const VIEWS = [
  ["leaderboard", "Leaderboard", leaderboard, null],
  ["errors", "Errors", errors, "errors"],
  ["rows", "Rows", rows, "rows"],
  ["latent", "Latent space", latent, "latent"],
  ["data", "Data", data, "data"],
  ["diagnosis", "Diagnosis", diagnosis, "diagnosis"],
];
const SLOTS = ["a", "b", "c", "d"];
const WAITING_MS = 5000; // as often as TensorBoard itself reads
const WITH_PICKS = ["errors", "rows", "latent"];

let state = {};
let found = null; // the answer of /start
let turn = 0; // a view that comes late does not overwrite a newer one
const place = { bar: null, lens: null, main: null };

export const start = async (version, plotlyVersion) => {
  plot.setUp(plotlyVersion);
  const style = h("link", { rel: "stylesheet", href: `./static/${version}/style.css` });
  const styled = new Promise((resolve) => { style.onload = style.onerror = resolve; });
  document.head.append(style);
  document.documentElement.lang = "en";
  document.title = "aetfx";
  place.bar = h("header", { class: "bar" });
  place.lens = h("div", { class: "lens" });
  place.main = h("main", { tabindex: "-1" });
  document.body.append(place.bar, place.lens, place.main);
  theme();
  address.onTheme(() => { theme(); plot.repaint(); scale.repaint(); });
  address.onChange(() => { state = address.read(); load(); });
  address.onReload(() => refresh(false));
  document.addEventListener("keydown", shortcut);
  setInterval(() => { if (waits() && address.isShown()) refresh(false); }, WAITING_MS);
  state = address.read();
  await styled;
  await load();
};

// Whether something is to come: a sweep runs, nothing has been written yet, or TensorBoard does not answer.
const waits = () => !found?.board || Boolean(found.board.standings);

const theme = () => { document.documentElement.dataset.theme = address.isDark() ? "dark" : "light"; };

const shortcut = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  const view = VIEWS[Number(event.key) - 1];
  if (view && isThere(view)) show({ view: view[0] });
};

const isThere = ([, , , needs]) => !needs || Boolean(found?.board?.has[needs]);

// Asks for the run that the state names, unless that is what is shown.
const load = async () => {
  const mine = ++turn;
  if (!found || (state.run && state.run !== found.run)) {
    if (!found) place.main.replaceChildren(waiting());
    try {
      const answer = await api.getJson("start", { run: state.run }, true);
      if (mine !== turn) return;
      found = answer;
    } catch (problem) {
      if (mine === turn) failed(problem);
      return;
    }
    plot.setPalette(found.palette);
    scale.setRoles(found.light, found.dark);
  }
  draw();
};

const refresh = async (loud = true) => {
  const before = found?.board?.step;
  const run = found?.run;
  const mine = turn;
  try {
    const answer = await api.getJson("start", { run: state.run || run }, true);
    if (mine !== turn) return; // somebody went on meanwhile, and asked anew
    const changed = !found || answer.board?.step !== before || answer.run !== run || answer.problem !== found.problem
      || answer.runs.length !== found.runs.length;
    if (changed || loud) api.forget();
    found = answer;
    plot.setPalette(found.palette);
    scale.setRoles(found.light, found.dark);
    if (changed || loud) draw();
  } catch (problem) {
    failed(problem);
  }
};

// Changes a part of the state and draws; what is given as null goes back to its default.
export const show = (changes) => {
  if (!("offset" in changes)) delete state.offset;
  if (changes.view && changes.view !== state.view) delete state.filter;
  state = { ...state, ...changes };
  if (changes.run && changes.run !== found?.run) {
    for (const key of [...SLOTS, "slice", "colour", "filter"]) delete state[key];
    load();
    return;
  }
  draw();
};

const picks = () => {
  const known = new Set(found.board.configurations.map((item) => item.id));
  const named = SLOTS.map((slot) => state[slot]).filter((id, i, all) => id && known.has(id) && all.indexOf(id) === i);
  return named.length ? named : found.board.picks;
};

// The change of state that puts a configuration into a slot (0 is A); two that change places swap.
const picking = (identity, slot) => {
  const now = [...picks()];
  const here = now.indexOf(identity);
  if (here >= 0 && here !== slot) now[here] = now[slot];
  now[Math.min(slot, now.length)] = identity;
  const unique = now.filter((id, i) => id && now.indexOf(id) === i);
  return Object.fromEntries(SLOTS.map((key, i) => [key, unique[i] || null]));
};
const pick = (identity, slot) => show(picking(identity, slot));

// Changes a part of the state that the view itself has drawn already.
const keep = (changes) => {
  Object.assign(state, changes);
  address.write({ ...state, run: found.runs.length > 1 ? found.run : state.run });
};

const unpick = (slot) => {
  const left = picks().filter((_, i) => i !== slot);
  show(Object.fromEntries(SLOTS.map((key, i) => [key, left[i] || null])));
};

const draw = async () => {
  const mine = ++turn;
  scale.hideTip();
  if (!found) return void load();
  const board = found.board;
  if (!board) {
    place.bar.replaceChildren(...barParts());
    place.lens.replaceChildren();
    place.main.replaceChildren(found.problem ? note("This run cannot be shown", sentence(found.problem), again()) : nothing());
    done();
    return;
  }
  const view = VIEWS.find((item) => item[0] === state.view && isThere(item)) || firstView();
  state.view = view[0];
  keep({});
  place.bar.replaceChildren(...barParts(view[0]));
  place.lens.replaceChildren(...(WITH_PICKS.includes(view[0]) ? lensParts() : []));
  const context = contextOf();
  document.documentElement.dataset.view = "";
  if (view[0] !== "leaderboard") place.main.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => { if (mine === turn) place.main.classList.add("slow"); }, 150);
  let made;
  try {
    made = board.standings && view[0] === "leaderboard" ? sweep(context) : await view[2](context);
  } catch (problem) {
    made = [broken(problem)];
  }
  clearTimeout(slow);
  if (mine !== turn) return;
  const missed = found.missed ? [h("p", { class: "warn" }, `The run ${found.missed} is not here; this is another one.`)] : [];
  const problems = board.problems.map((text) => h("p", { class: "warn" }, text));
  place.main.classList.remove("slow");
  place.main.removeAttribute("aria-busy");
  const focused = keptFocus();
  place.main.replaceChildren(...[missed, problems, made].flat(Infinity).filter(Boolean));
  focused();
  done(view[0]);
  plot.load().catch(() => {}); // for the next view
};

const contextOf = () => ({
  run: found.run, board: found.board, state, picks: picks(), slice: sliceNumber(), show, keep, pick, picking,
  picked: (identity, slot) => { keep(picking(identity, slot)); return contextOf(); },
  names: picks().map((id) => found.board.configurations.find((item) => item.id === id).name),
  ask: { run: found.run, pick: picks(), slice: sliceNumber() },
});

const done = (view = "none") => { document.documentElement.dataset.view = view; };

// Drawing anew must not throw the keyboard back to the start of the page.
const keptFocus = () => {
  const key = document.activeElement?.dataset?.key;
  return () => key && place.main.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
};

const firstView = () => {
  if (found.board.configurations.length || found.board.standings) return VIEWS[0];
  return VIEWS.find((item) => item[3] && isThere(item)) || VIEWS[0];
};

const sliceNumber = () => {
  const place = found.board.slices.findIndex((item) => item.name === state.slice);
  return place > 0 ? place : 0;
};

const barParts = (view) => {
  const tabs = h("nav", { role: "tablist", "aria-label": "Views" });
  for (const item of VIEWS) {
    const there = found?.board ? isThere(item) : item[0] === "leaderboard";
    tabs.append(h("button", {
      role: "tab", "aria-selected": String(item[0] === view), tabindex: item[0] === view ? "0" : "-1", disabled: !there,
      title: there ? null : "This run holds nothing for this view", "data-tab": item[0],
      onclick: () => { show({ view: item[0] }); place.bar.querySelector(`[data-tab=${item[0]}]`).focus(); },
    }, item[1]));
  }
  arrows(tabs, "button:not(:disabled)");
  const runs = found?.runs || [];
  const chosen = runs.length > 1
    ? h("select", { "aria-label": "Run", class: "run", onchange: (event) => show({ run: event.target.value }) },
      runs.map((item) => h("option", { value: item.run, selected: item.run === found.run }, runName(item, runs))))
    : h("span", { class: "run", title: found?.run }, found?.board?.study_name || "");
  return [chosen, tabs,
    h("button", { class: "quiet refresh", title: "Ask TensorBoard again", "data-key": "refresh", onclick: () => refresh() }, "Refresh")];
};

const runName = (item, runs) => {
  const path = item.run.replace(/(^|\/)(tensorboard\/)?aetfx$/, "") || ".";
  const same = runs.filter((other) => other.study_name === item.study_name).length > 1;
  return !item.study_name ? path : same || path !== item.study_name ? `${item.study_name} · ${path}` : item.study_name;
};

const lensParts = () => {
  const board = found.board;
  const now = picks();
  const options = (chosen) => board.configurations.filter((item) => item.score !== null || item.id === chosen).map((item) =>
    h("option", { value: item.id, selected: item.id === chosen }, `${item.name}  ${short(item.score)}`));
  const parts = now.map((id, i) => h("label", { class: `picked p${i}` },
    h("span", { class: "swatch" }, "ABCD"[i]),
    h("select", { "aria-label": `Configuration ${"ABCD"[i]}`, onchange: (event) => pick(event.target.value, i) }, options(id)),
    now.length > 1 && i > 0 && h("button", { class: "plain", title: "Leave it out", "aria-label": `Leave out ${"ABCD"[i]}`, onclick: () => unpick(i) }, "×")));
  if (now.length < SLOTS.length && now.length < board.configurations.length) {
    parts.push(h("select", { class: "add", "aria-label": "Add a configuration", onchange: (event) => pick(event.target.value, now.length) },
      h("option", { value: "" }, "+ add"), board.configurations.filter((item) => !now.includes(item.id) && item.score !== null)
        .map((item) => h("option", { value: item.id }, `${item.name}  ${short(item.score)}`))));
  }
  if (board.slices.length > 1) {
    parts.push(h("label", { class: "slice" }, "Rows ",
      h("select", { "aria-label": "Slice", onchange: (event) => show({ slice: event.target.value === "all" ? null : event.target.value }) },
        board.slices.map((item, i) => h("option", { value: item.name, selected: i === sliceNumber() },
          item.n_rows === null || item.n_rows === undefined ? item.name : `${item.name} (${count(item.n_rows)})`)))));
  }
  return parts;
};

const waiting = () => h("div", { class: "skeleton", "aria-label": "Loading", role: "status" },
  h("i", { class: "wide" }), h("i"), h("div", null, h("i"), h("i"), h("i"), h("i")), h("i", { class: "block" }));

const nothing = () => note("No aetfx run in this log directory yet",
  "TensorBoard shows a run here as soon as one is written below its log directory.",
  h("pre", null, "aetfx compare study.yaml --out runs/mine\ntensorboard --logdir runs"),
  h("p", { class: "quiet small" }, "aetfx diagnose and aetfx evaluate write one too."));

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${/[.?!]$/.test(text) ? "" : "."}`;

const broken = (problem) => {
  if (!(problem instanceof api.Problem)) console.warn(problem);
  return note(problem.status === 404 ? "Not there" : "This view could not be drawn", sentence(String(problem.message || problem)), again());
};

const failed = (problem) => {
  found = null; // whatever is there when TensorBoard answers again is drawn anew
  place.main.classList.remove("slow");
  place.lens.replaceChildren();
  place.bar.replaceChildren(...barParts());
  place.main.replaceChildren(note("No answer", problem.message, again()));
  done("failed");
};

const again = () => h("p", null, h("button", { class: "main", "data-key": "again", onclick: () => refresh() }, "Try again"));
