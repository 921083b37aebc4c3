// How the error is spread over rows, and which features of which configurations are worst.

import { getJson, getPack } from "./api.js";
import { both } from "./leaderboard.js";
import { answer, card, count, h, percent, short } from "./dom.js";
import { figure } from "./plot.js";
import * as scale from "./scale.js";

const LOW = 0.01; // a smaller score is drawn like this one
const LABELS = [120, 340]; // pixels for the names of configurations: at least, at most
const MAPS = 60; // drawn at once
const BARS = 30;
const FEW = 3; // maps of so few configurations stand beside the distribution
const DECADES = Math.log10(1 / LOW);

export const errors = async (context) => {
  const found = await getJson("errors", context.ask);
  const parts = [answer(found.answer)];
  const side = h("div", { class: "stack" });
  if (found.figure) {
    parts.push(h("div", { class: "columns even" }, figure(found.figure, { tall: true }), side));
    if (found.quantiles.length) side.append(quantiles(found.quantiles, found.seeds, context));
  }
  if (found.features) {
    const place = h("div", { class: "stack" }, h("div", { class: "card" }, h("p", { class: "quiet" }, "Reading the features …")));
    parts.push(place);
    getPack("heat", { run: context.run }).then((heat) => {
      if (heat.shape) {
        const few = context.board.configurations.length <= FEW;
        if (few && found.figure) { place.remove(); side.append(maps(heat, context, 164)); } else place.replaceChildren(maps(heat, context, 128));
      } else {
        place.replaceChildren(heatMap(heat, found.features, context, place));
        const worst = worstFeatures(heat, context);
        if (worst) side.append(worst);
      }
      document.documentElement.dataset.heat = "drawn";
    }).catch((problem) => place.replaceChildren(card("Features", problem.message)));
  }
  return parts;
};

const quantiles = (levels, seeds, context) => card(`Row errors of all scored rows${seeds ? ", over all seeds" : ""}`, null, h("table", { class: "plain" },
  h("thead", null, h("tr", null, h("th", { scope: "col" }, "share of rows below"), levels.map((item) => h("th", { class: "number", scope: "col" }, percent(item.level))))),
  h("tbody", null, context.names.map((name, i) => h("tr", null, h("td", { title: name }, h("span", { class: `swatch p${i}` }, "ABCD"[i])),
    levels.map((item) => h("td", { class: "number" }, short(item.values[i]))))))));

const worstFeatures = (heat, context) => {
  const lines = context.picks.slice(0, 2).map((id) => heat.configurations.indexOf(context.board.configurations.findIndex((item) => item.id === id)));
  const [scores] = heat.values;
  const wide = heat.features.length;
  const value = (line, column) => scores[line * wide + column];
  const order = heat.features.map((_, i) => i).filter((i) => Number.isFinite(value(lines[0], i)))
    .sort((a, b) => value(lines[0], b) - value(lines[0], a)).slice(0, 8);
  if (!order.length) return null;
  const name = (i) => heat.names[heat.features[i]];
  const b = lines.length > 1 ? lines[1] : lines[0];
  const cap = (v) => Math.min(4, Number.isFinite(v) ? v : 4);
  return card(`Worst features of ${context.names[0]}`, lines.length > 1 ? "A, and B beside it; 0 is perfect, 1 is predicting the mean." : "0 is perfect, 1 is predicting the mean.",
    both(order.map((i) => ({ name: name(i), a: cap(value(lines[0], i)), b: cap(value(b, i)) }))));
};

const level = (value) => (Number.isFinite(value) ? Math.min(1, Math.max(0, 1 + Math.log10(Math.max(value, LOW)) / DECADES)) : NaN);

const legend = (unit) => {
  const colours = scale.heat();
  return h("div", { class: "legend" }, "0.01", h("i", { style: { background: `linear-gradient(90deg, ${[0, 0.25, 0.5, 0.75, 1].map((s) => scale.css(colours, s)).join(",")})` } }),
    "1 or more", h("span", { class: "quiet" }, `score of a ${unit}, logarithmic; 1 is no better than its mean`));
};

const nameOf = (context, place) => context.board.configurations[place].name;

// Configurations down, features across, alike ones side by side.
const heatMap = (heat, about, context) => {
  const [scores] = heat.values;
  const lines = heat.configurations.length;
  const wide = heat.features.length;
  const size = Math.max(11, Math.min(26, Math.floor(330 / lines)));
  const font = `${Math.min(12.5, size)}px ${getComputedStyle(document.body).fontFamily}`;
  const label = (place) => {
    const pick = context.picks.indexOf(context.board.configurations[place].id);
    return `${pick >= 0 ? `${"ABCD"[pick]} ` : ""}${nameOf(context, place)}`;
  };
  const left = Math.round(Math.min(LABELS[1], Math.max(LABELS[0], 12 + widest(font, heat.configurations.map(label)))));
  const named = (1200 - left) / wide >= 15;
  const top = named ? 104 : 4;
  const right = named ? 52 : 0; // where the last slanted names lean to
  const holder = h("div", { class: "heat" });
  const said = h("p", { class: "read small", "aria-live": "polite" }, "Point at a cell, or use the arrow keys; click or Enter shows all configurations on that feature.");
  const detail = h("div", null);
  let cursor = null;
  const words = (line, column) => {
    const value = scores[line * wide + column];
    return [heat.names[heat.features[column]], `${nameOf(context, heat.configurations[line])}: ${Number.isFinite(value) ? short(value) : "not scored"}`];
  };
  const draw = (context2, width) => {
    const colours = scale.heat();
    const cell = (width - left - right) / wide;
    const step = window.devicePixelRatio || 1;
    // One pixel per cell, stretched without smoothing: 48,000 rectangles would take a second.
    const image = new ImageData(wide, lines);
    const none = scale.bad();
    for (let i = 0; i < lines * wide; i++) {
      const share = level(scores[i]);
      const at = Number.isNaN(share) ? null : 3 * Math.round(255 * share);
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = at === null ? none[c] : colours[at + c];
      image.data[4 * i + 3] = at === null ? 40 : 255;
    }
    const small = new OffscreenCanvas(wide, lines);
    small.getContext("2d").putImageData(image, 0, 0);
    context2.imageSmoothingEnabled = false;
    context2.clearRect(0, 0, width, top + lines * size);
    context2.drawImage(small, left, top, cell * wide, size * lines);
    context2.font = font;
    context2.textBaseline = "middle";
    heat.configurations.forEach((place, line) => {
      const pick = context.picks.indexOf(context.board.configurations[place].id);
      context2.fillStyle = pick >= 0 ? scale.role(["after", "before", "improvement", "other"][pick]) : scale.role("ink");
      if (size >= 9) context2.fillText(cut(context2, label(place), left - 10), 0, top + (line + 0.5) * size);
    });
    if (named) {
      context2.fillStyle = scale.role("quiet");
      context2.font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
      heat.features.forEach((feature, column) => {
        context2.save();
        context2.translate(left + (column + 0.5) * cell, top - 6);
        context2.rotate(-Math.PI / 3.2);
        context2.fillText(cut(context2, heat.names[feature], 116), 0, 0);
        context2.restore();
      });
    }
    if (cursor) {
      context2.strokeStyle = scale.role("mark");
      context2.lineWidth = 1.5 / Math.min(step, 1.5);
      context2.strokeRect(left + cursor[1] * cell - 0.5, top + cursor[0] * size - 0.5, Math.max(cell, 2) + 1, size + 1);
    }
  };
  let node = null;
  const make = (width) => {
    node = scale.canvas(width, top + lines * size, (context2) => draw(context2, width), { tabindex: "0", role: "application", "data-key": "heat", "aria-label": `Scores of ${wide} features of ${lines} configurations` });
    const at = (x, y) => {
      const column = Math.floor(((x - left) / (width - left - right)) * wide);
      const line = Math.floor((y - top) / size);
      return column >= 0 && column < wide && line >= 0 && line < lines ? [line, column] : null;
    };
    scale.hover(node, (x, y) => { const cell = at(x, y); return cell && words(...cell); });
    node.addEventListener("click", (event) => {
      const box = node.getBoundingClientRect();
      cursor = at(event.clientX - box.left, event.clientY - box.top) || cursor;
      node.paint();
      choose();
    });
    node.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (event.key === "Enter") choose();
      if (!move) return;
      event.preventDefault();
      cursor = cursor ? [Math.min(lines - 1, Math.max(0, cursor[0] + move[0])), Math.min(wide - 1, Math.max(0, cursor[1] + move[1]))] : [0, 0];
      node.paint();
      said.textContent = words(...cursor).join(", ");
    });
    holder.replaceChildren(node);
  };
  const choose = () => {
    if (!cursor) return;
    const column = cursor[1];
    const order = heat.configurations.map((place, line) => [place, scores[line * wide + column]]).sort((a, b) => a[1] - b[1]);
    const most = Math.max(...order.map(([, v]) => (Number.isFinite(v) ? Math.min(v, 4) : 0)), 1e-9);
    detail.replaceChildren(card(heat.names[heat.features[column]], order.length > BARS ? `The ${BARS} best of ${order.length} configurations on this feature.` : "All configurations on this feature, best first.",
      h("div", { class: "bars" }, order.slice(0, BARS).map(([place, value]) => h("button", { class: "bar-line", title: "Pick it as A", onclick: () => context.pick(context.board.configurations[place].id, 0) },
        h("span", { class: "name" }, nameOf(context, place)), h("span", { class: "track" }, h("i", { style: { width: `${(100 * Math.min(value, 4)) / most}%` } })), h("span", { class: "number" }, short(value)))))));
  };
  watchWidth(holder, make);
  const some = about.kept ? ` The ${count(about.kept)} worst of ${count(about.n)} features.` : "";
  return h("div", { class: "stack" }, card("Score of each feature", `Alike features and configurations stand together.${some}`, legend("feature"), holder, said), detail);
};

const widest = (font, texts) => {
  const pen = new OffscreenCanvas(1, 1).getContext("2d");
  pen.font = font;
  return Math.max(...texts.map((text) => pen.measureText(text).width));
};

const cut = (context, text, width) => {
  if (context.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > width) end -= Math.max(1, Math.floor(end / 12));
  return `${text.slice(0, end)}…`;
};

export const watchWidth = (holder, make) => {
  let last = 0;
  const observer = new ResizeObserver(([entry]) => {
    if (!holder.isConnected) return observer.disconnect();
    const width = Math.floor(entry.contentRect.width);
    if (width > 0 && width !== last) { last = width; make(width); }
    return undefined;
  });
  observer.observe(holder);
};

// Pictures: the score of each pixel, one small map per configuration; the picked ones first.
const maps = (heat, context, side) => {
  const [height, wide] = heat.shape;
  const size = height * wide;
  const [scores] = heat.values;
  const chosen = context.picks.map((id) => context.board.configurations.findIndex((item) => item.id === id));
  const order = [...chosen, ...heat.configurations.filter((place) => !chosen.includes(place))];
  const grid = h("div", { class: "maps" });
  for (const place of order.slice(0, MAPS)) {
    const line = heat.configurations.indexOf(place);
    const node = scale.canvas(side, (side * height) / wide, (context2) => {
      const colours = scale.heat();
      const image = new ImageData(wide, height);
      for (let i = 0; i < size; i++) {
        const share = level(scores[line * size + i]);
        const at = Number.isNaN(share) ? null : 3 * Math.round(255 * share);
        for (let c = 0; c < 3; c++) image.data[4 * i + c] = at === null ? 128 : colours[at + c];
        image.data[4 * i + 3] = at === null ? 26 : 255;
      }
      const small = new OffscreenCanvas(wide, height);
      small.getContext("2d").putImageData(image, 0, 0);
      context2.imageSmoothingEnabled = false;
      context2.drawImage(small, 0, 0, side, (side * height) / wide);
    }, { role: "img", "aria-label": `Score of each pixel, ${nameOf(context, place)}` });
    scale.hover(node, (x, y) => {
      const column = Math.min(wide - 1, Math.floor((x / side) * wide));
      const row = Math.min(height - 1, Math.floor((y / side) * wide));
      const value = scores[line * size + row * wide + column];
      return [`row ${row}, column ${column}`, Number.isFinite(value) ? short(value) : "never changes"];
    });
    const pick = chosen.indexOf(place);
    grid.append(h("figure", null, h("figcaption", { title: nameOf(context, place) }, pick >= 0 && h("span", { class: `swatch p${pick}` }, "ABCD"[pick]),
      h("span", null, nameOf(context, place)), h("span", { class: "quiet number" }, short(context.board.configurations[place].score))), node));
  }
  return card("Score of each pixel", `Pale pixels never change.${order.length > MAPS ? ` ${MAPS} of ${order.length} configurations.` : ""}`, legend("pixel"), grid);
};
