// Original, reconstruction and difference side by side, worst first.

import { getPack } from "./api.js";
import { answer, card, count, h, short, svg } from "./dom.js";
import { watchWidth } from "./errors.js";
import * as scale from "./scale.js";

const WORST = 4; // cells listed per row of a table
const MARKED = 4; // cells marked per reconstruction
const LINES = 3; // channels drawn per sequence
const LINES_ALONE = 12; // of a single one
const ORDERS = [["worst", "worst under A first"], ["best", "best under A first"], ["differs", "where A and B differ most"]];
const PAGE = { sequence: 9, table: 8 };
const GAP = 6; // between pictures
const WIDE_GAP = 14;
const SIDE = 92; // for what the lines of pictures are called

// How tall a picture may be so that original, reconstructions and differences fit the screen, and how many fit across.
const tileOf = (context) => Math.max(44, Math.min(112, Math.floor((window.innerHeight - 262) / (1 + 2 * context.picks.length)) - 14));
const columnsOf = (context) => Math.max(4, Math.min(40, Math.floor((window.innerWidth - 76 - SIDE) / (tileOf(context) + GAP))));

export const rows = async (context) => {
  const { state, board } = context;
  const alone = /^at:\d+$/.test(state.order || "") ? Number(state.order.slice(3)) : null;
  const order = ORDERS.some(([key]) => key === state.order) ? state.order : "worst";
  const offset = /^\d{1,8}$/.test(state.offset || "") ? Number(state.offset) : 0;
  const limit = board.kept.kind === "picture" ? columnsOf(context) : PAGE[board.kept.kind];
  const pack = await getPack("rows", alone === null ? { ...context.ask, order, offset, limit } : { ...context.ask, at: alone });
  const turn = (to) => context.show({ offset: String(Math.max(0, to)) });
  const tools = alone === null
    ? h("div", { class: "tools-line" },
      h("label", null, "Show ", h("select", { "aria-label": "Order", "data-key": "order", onchange: (event) => context.show({ order: event.target.value === "worst" ? null : event.target.value }) },
        ORDERS.filter(([key]) => key !== "differs" || context.picks.length > 1).map(([key, words]) => h("option", { value: key, selected: key === order }, words)))),
      h("span", { class: "quiet small" }, pack.total ? `${count(offset + 1)} to ${count(Math.min(pack.total, offset + pack.rows.length))} of ${count(pack.total)} kept rows` : ""),
      h("span", { class: "pager" },
        h("button", { "data-key": "before", disabled: offset === 0, "aria-label": "Rows before these", onclick: () => turn(offset - limit) }, "‹ Back"),
        h("button", { "data-key": "after", disabled: offset + pack.rows.length >= pack.total, "aria-label": "More rows", onclick: () => turn(offset + limit) }, "More ›")),
      key(pack, context))
    : h("div", { class: "tools-line" }, h("button", { class: "main", "data-key": "all", onclick: () => context.show({ order: null }) }, "‹ All rows"), key(pack, context));
  const body = pack.rows.length ? draw(pack, context, alone !== null) : card(null, null, h("p", { class: "quiet" }, "No kept row is in this slice. Choose another at the top right."));
  return [answer(alone === null ? pack.answer : `${rowName(pack.rows[0])}: ${context.names.map((name, i) => `${short(pack.rows[0].errors[i])} under ${name}`).join(", ")}.`), tools, body];
};

const rowName = (row) => (row.place >= 0 ? `Row ${count(row.place)}` : `Kept row ${count(row.at)}`);

const key = (pack, context) => (pack.kind === "table" || pack.kind === "picture"
  ? h("span", { class: "legend" }, pack.kind === "table" ? "low" : "too dark", h("i", { style: { background: `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((s) => scale.css(scale.diverging(), s)).join(",")})` } }), pack.kind === "table" ? "high" : "too bright",
    h("span", { class: "quiet" }, pack.kind === "table" ? "in units of the column's spread; thin: the difference" : pack.reduced > 1 ? `pictures at 1/${pack.reduced} of their size` : "differences"))
  : h("span", { class: "legend" }, h("i", { class: "line ink" }), "original", context.names.map((name, i) => [h("i", { class: `line p${i}` }), "ABCD"[i]])));

export const draw = (pack, context, large = false) => {
  if (pack.kind === "picture") return pictures(pack, context, large);
  if (pack.kind === "sequence") return h("div", { class: large ? "stack" : "sequences" }, pack.rows.map((row, i) => sequence(pack, i, context, large)));
  return h("div", { class: "stack rows-list" }, pack.rows.map((row, i) => table(pack, i, context)));
};

// The arrays of row `i`: scale, original, then a reconstruction per pick (null where there is none).
const cells = (pack, i) => {
  const size = pack.shape.reduce((a, b) => a * b, 1);
  const slice = (values) => values.subarray(i * size, (i + 1) * size);
  let next = 2;
  return {
    size, centre: pack.values[0].subarray(0, size), spread: pack.values[0].subarray(size, 2 * size), truth: slice(pack.values[1]),
    made: pack.restored.map((there) => (there ? slice(pack.values[next++]) : null)),
  };
};

const about = (row, context) => {
  const extreme = { 2: "among the worst", 4: "among the best" }[row.why & 6]; // both: of unlike configurations
  const tags = [extreme, ...row.slices.map((name) => `in ${name}`), row.label !== null && row.label !== undefined ? `label ${row.label}` : ""].filter(Boolean);
  return h("p", { class: "row-head" }, h("button", { class: "link", onclick: () => context.show({ view: "rows", order: `at:${row.at}` }) }, h("b", null, rowName(row))),
    row.errors.map((error, i) => h("span", { class: "row-error" }, h("span", { class: `swatch p${i}` }, "ABCD"[i]), error === null ? h("b", { class: "bad" }, "not finite") : short(error))),
    h("span", { class: "quiet small" }, tags.join(" · ")));
};

// --- tables

const table = (pack, i, context) => {
  const { size, centre, spread, truth, made } = cells(pack, i);
  const miss = (values, j) => {
    const gap = Math.abs(values[j] - truth[j]) / spread[j];
    return Number.isNaN(gap) ? Infinity : gap;
  };
  const own = made.find(Boolean);
  const all = Array.from({ length: size }, (_, j) => j).filter((j) => Number.isFinite(truth[j]));
  const worst = own ? [...all].sort((a, b) => miss(own, b) - miss(own, a)).slice(0, WORST) : [];
  const marked = made.map((values) => (values ? [...all].sort((a, b) => miss(values, b) - miss(values, a)).slice(0, MARKED).filter((j) => miss(values, j) > 1) : []));
  const names = pack.names || [];
  const name = (j) => names[j] ?? `x${j}`;
  // A band for the original; for each reconstruction one for its values and, thinner, one for the difference.
  const bands = [{ word: "original", tall: 18, of: (j) => (truth[j] - centre[j]) / spread[j] }];
  made.forEach((values, k) => {
    bands.push({ word: "ABCD"[k], tall: 15, k, of: values && ((j) => (values[j] - centre[j]) / spread[j]) });
    if (values) bands.push({ tall: 9, k, marks: marked[k], of: (j) => (values[j] - truth[j]) / spread[j] });
  });
  let bottom = 0;
  for (const band of bands) { band.top = bottom + (band.marks ? 1 : band.k === undefined ? 0 : 5); bottom = band.top + band.tall; }
  const left = 58;
  const holder = h("div", { class: "strip" });
  watchWidth(holder, (width) => {
    const cell = (width - left) / size;
    const node = scale.canvas(width, bottom + 4, (pen) => {
      const colours = scale.diverging();
      const none = scale.bad();
      pen.imageSmoothingEnabled = false;
      pen.font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
      pen.textBaseline = "middle";
      for (const band of bands) {
        pen.fillStyle = band.k === undefined ? scale.role("quiet") : scale.role(["after", "before", "improvement", "other"][band.k]);
        if (band.word) pen.fillText(band.word, 0, band.top + band.tall / 2 + 1);
        if (!band.of) { pen.fillText("not kept", left, band.top + band.tall / 2 + 1); continue; }
        const image = new ImageData(size, 1);
        for (let j = 0; j < size; j++) {
          const z = band.of(j);
          const at = 3 * Math.round(127.5 * (1 + Math.tanh(z / 2.5))); // never quite full: far out still differs from farther
          for (let c = 0; c < 3; c++) image.data[4 * j + c] = Number.isFinite(z) ? colours[at + c] : none[c];
          image.data[4 * j + 3] = 255;
        }
        const small = new OffscreenCanvas(size, 1);
        small.getContext("2d").putImageData(image, 0, 0);
        pen.drawImage(small, left, band.top, cell * size, band.tall);
        for (const j of band.marks || []) {
          pen.beginPath();
          pen.arc(left + (j + 0.5) * cell, band.top + band.tall / 2, 3, 0, 7);
          pen.fillStyle = scale.role("mark");
          pen.fill();
          pen.strokeStyle = scale.role("surface");
          pen.stroke();
        }
      }
    }, { role: "img", "aria-label": `${rowName(pack.rows[i])}: original above its reconstructions` });
    scale.hover(node, (x) => {
      const j = Math.floor((x - left) / cell);
      if (j < 0 || j >= size) return null;
      return [name(j), `original ${short(truth[j])}`, ...made.map((values, k) => values && `${"ABCD"[k]} ${short(values[j])}`).filter(Boolean)];
    });
    holder.replaceChildren(node);
  });
  const list = h("table", { class: "cells" }, h("thead", null, h("tr", null, h("th", { scope: "col" }, "worst cells"), h("th", { class: "number", scope: "col" }, "original"), made.map((values, k) => h("th", { class: "number", scope: "col" }, "ABCD"[k])))),
    h("tbody", null, worst.map((j) => h("tr", null, h("th", { scope: "row", title: name(j) }, name(j)), h("td", { class: "number" }, short(truth[j])),
      made.map((values) => h("td", { class: values && miss(values, j) > 1 ? "number missed" : "number" }, values ? short(values[j]) : ""))))));
  return h("section", { class: "card row" }, about(pack.rows[i], context), h("div", { class: "row-body" }, holder, list));
};

// --- sequences

const sequence = (pack, i, context, large) => {
  const { truth, made } = cells(pack, i);
  const [steps, channels] = pack.shape;
  const height = large ? 150 : channels > 1 ? 64 : 96;
  const gap = (channel) => {
    const values = made.find(Boolean);
    if (!values) return 0;
    let sum = 0;
    for (let t = 0; t < steps; t++) sum += (values[t * channels + channel] - truth[t * channels + channel]) ** 2 || 0;
    return sum;
  };
  const order = Array.from({ length: channels }, (_, c) => c);
  const most = large ? LINES_ALONE : LINES;
  const shown = channels > most ? [...order].sort((a, b) => gap(b) - gap(a)).slice(0, most) : order;
  const panels = shown.map((channel) => {
    const series = [truth, ...made.filter(Boolean)].map((values) => Array.from({ length: steps }, (_, t) => values[t * channels + channel]));
    const finite = series.flat().filter(Number.isFinite);
    const own = series[0].filter(Number.isFinite);
    let low = Math.min(...own);
    let high = Math.max(...own);
    const room = (high - low || 1) * 0.5;
    low = Math.max(Math.min(...finite), low - room); // a wild reconstruction must not flatten the original
    high = Math.min(Math.max(...finite), high + room);
    const x = (t) => ((t / Math.max(1, steps - 1)) * 100).toFixed(2);
    const y = (v) => (height - 3 - (Math.min(high + room, Math.max(low - room, v)) - low) / (high - low || 1) * (height - 6)).toFixed(1);
    const path = (values) => {
      let d = "", pen = "M";
      values.forEach((v, t) => { if (Number.isFinite(v)) { d += `${pen}${x(t)} ${y(v)}`; pen = "L"; } else pen = "M"; });
      return d;
    };
    const picture = svg("svg", { viewBox: `0 0 100 ${height}`, preserveAspectRatio: "none", class: "line-plot", style: { height: `${height}px` }, role: "img", "aria-label": `${rowName(pack.rows[i])} ${pack.channels?.[channel] || ""}` },
      svg("path", { d: path(series[0]), class: "line ink" }),
      made.map((values, k) => values && svg("path", { d: path(Array.from({ length: steps }, (_, t) => values[t * channels + channel])), class: `line p${k}` })));
    scale.hover(picture, (px) => {
      const t = Math.min(steps - 1, Math.max(0, Math.round((px / picture.getBoundingClientRect().width) * (steps - 1))));
      return [`step ${t * pack.reduced}`, `original ${short(truth[t * channels + channel])}`, ...made.map((values, k) => values && `${"ABCD"[k]} ${short(values[t * channels + channel])}`).filter(Boolean)];
    });
    return [channels > 1 && h("p", { class: "quiet small channel" }, pack.channels?.[channel] || `channel ${channel}`), picture];
  });
  return h("section", { class: "card row" }, about(pack.rows[i], context), panels, channels > shown.length && h("p", { class: "quiet small" }, `${channels - shown.length} more channels; the worst are shown`));
};

// --- pictures: one canvas, a column per row; of a single row, original and reconstructions side by side

const pictures = (pack, context, large) => {
  const [height, wide, channels] = pack.shape;
  const [low, high] = pack.range;
  const own = pack.rows.map((_, i) => cells(pack, i));
  const kinds = [["original", null, false], ...pack.restored.flatMap((there, k) => (there ? [["ABCD"[k], k, false], [`${"ABCD"[k]} − original`, k, true]] : []))];
  const holder = h("div", { class: "pictures" });
  const left = SIDE;
  const head = 22;
  watchWidth(holder, (width) => {
    const tile = large ? Math.min(230, Math.floor(width / kinds.length) - WIDE_GAP) : Math.min(tileOf(context), width - left);
    const down = Math.round((tile * height) / wide);
    const errorLine = 16;
    const lineTop = (line) => head + kinds.slice(0, line).reduce((sum, [, k, gap]) => sum + down + 4 + (k !== null && gap ? errorLine + 4 : 0), 0);
    const xOf = (i, line) => (large ? line * (tile + WIDE_GAP) : left + i * (tile + GAP));
    const yOf = (line) => (large ? head : lineTop(line));
    const total = large ? head + down + errorLine + 6 : lineTop(kinds.length) + 2;
    const node = scale.canvas(width, total, (pen) => {
      pen.imageSmoothingEnabled = false;
      pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
      pen.textBaseline = "middle";
      const colours = scale.diverging();
      const none = scale.bad();
      kinds.forEach(([word, k, gap], line) => {
        pen.fillStyle = k === null ? scale.role("ink") : scale.role(["after", "before", "improvement", "other"][k]);
        if (large) pen.fillText(word, xOf(0, line), 9);
        else pen.fillText(word, 0, lineTop(line) + down / 2);
      });
      pack.rows.forEach((row, i) => {
        pen.fillStyle = scale.role("quiet");
        if (!large) pen.fillText(rowName(row).replace("Row ", "row "), xOf(i, 0), 9, tile);
        kinds.forEach(([, k, gap], line) => {
          const values = k === null ? own[i].truth : own[i].made[k];
          const image = new ImageData(wide, height);
          for (let p = 0; p < wide * height; p++) {
            let fine = true;
            if (gap) {
              let sum = 0;
              for (let c = 0; c < channels; c++) sum += values[p * channels + c] - own[i].truth[p * channels + c];
              const share = 0.5 + sum / channels / (high - low || 1);
              fine = Number.isFinite(share);
              const at = fine ? 3 * Math.round(255 * Math.min(1, Math.max(0, share))) : 0;
              for (let c = 0; c < 3; c++) image.data[4 * p + c] = fine ? colours[at + c] : none[c];
            } else {
              for (let c = 0; c < 3; c++) {
                const value = values[p * channels + Math.min(c, channels - 1)];
                fine = fine && Number.isFinite(value);
                image.data[4 * p + c] = 255 * Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
              }
              if (!fine) for (let c = 0; c < 3; c++) image.data[4 * p + c] = none[c];
            }
            image.data[4 * p + 3] = 255;
          }
          const small = new OffscreenCanvas(wide, height);
          small.getContext("2d").putImageData(image, 0, 0);
          pen.drawImage(small, xOf(i, line), yOf(line), tile, down);
          if (gap) {
            const error = row.errors[k];
            pen.fillStyle = error === null ? scale.role("before") : scale.role("ink");
            pen.fillText(error === null ? "not finite" : short(error), xOf(i, line), yOf(line) + down + errorLine / 2 + 3, tile);
          }
        });
      });
    }, { tabindex: "0", role: "application", "data-key": "pictures", "aria-label": `${pack.rows.length} rows, original above reconstruction and difference; Enter opens the first` });
    const hit = (x, y) => {
      for (let i = 0; i < pack.rows.length; i++) {
        for (let line = 0; line < kinds.length; line++) {
          const column = Math.floor(((x - xOf(i, line)) / tile) * wide);
          const row = Math.floor(((y - yOf(line)) / down) * height);
          if (column >= 0 && column < wide && row >= 0 && row < height) return { i, line, column, row };
        }
      }
      return null;
    };
    scale.hover(node, (x, y) => {
      const spot = hit(x, y);
      if (!spot) return null;
      const p = (spot.row * wide + spot.column) * channels;
      const [word, k, gap] = kinds[spot.line];
      const original = own[spot.i].truth[p];
      const value = k === null ? original : own[spot.i].made[k][p];
      return [`${rowName(pack.rows[spot.i])}, pixel ${spot.row}, ${spot.column}`, gap ? `${word}: ${short(value - original)}` : `${word}: ${short(value)}${k === null ? "" : `, original ${short(original)}`}`,
        pack.rows[spot.i].slices.length ? `in ${pack.rows[spot.i].slices.join(", ")}` : null].filter(Boolean);
    });
    const open = (i) => { if (!large) context.show({ view: "rows", order: `at:${pack.rows[i].at}` }); };
    node.addEventListener("click", (event) => {
      const box = node.getBoundingClientRect();
      const spot = hit(event.clientX - box.left, event.clientY - box.top);
      if (spot) open(spot.i);
    });
    node.addEventListener("keydown", (event) => { if (event.key === "Enter") open(0); });
    holder.replaceChildren(node);
  });
  return h("div", { class: "card" }, holder);
};
