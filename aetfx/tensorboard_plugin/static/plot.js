// Draws the figures that Python made. plotly.js is 1.5 MB: it is asked for when the first view stands.

import { h } from "./dom.js";
import { isDark } from "./state.js";

let loading = null;
let source = "";
let palette = {};
const drawn = new Set();

export const setUp = (plotlyVersion) => { source = `./plotly/${plotlyVersion}.js`; };
export const setPalette = (found) => { palette = found; };

export const load = () => {
  loading = loading || new Promise((resolve, reject) => {
    const script = h("script", { src: source });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => { loading = null; reject(new Error("plotly.js could not be loaded")); };
    document.head.append(script);
  });
  return loading;
};

const recolour = (item) => {
  if (typeof item === "string") return palette[item] || item;
  // Long rows of numbers stay as they are; a stop of a colour scale is a number and its colour.
  if (Array.isArray(item)) return [item[0], item.at(-1)].every(Number.isFinite) ? item : item.map(recolour);
  if (item && typeof item === "object") {
    return Object.fromEntries(Object.entries(item).map(([key, value]) => [key, recolour(value)]));
  }
  return item;
};

// A colour of the light theme, or whatever holds such, in the theme that is shown.
export const inTheme = (item) => (isDark() ? recolour(item) : item);

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false };

// The words of a view are seen before its figures, and one figure before the next: each takes 50 ms and more.
const painted = () => new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve)); });
let turn = Promise.resolve();
const react = (place) => {
  const mine = turn.then(() => drawIn(place));
  turn = mine.catch(() => {});
  return mine;
};

const drawIn = async (place) => {
  const Plotly = await load();
  await painted();
  if (!place.isConnected) return;
  const figure = place.aetfxFigure;
  const { data, layout } = isDark() ? recolour(figure) : structuredClone(figure);
  if (place.classList.contains("tall")) delete layout.height;
  await Plotly.react(place, data, layout, CONFIG);
  place.dataset.drawn = "yes";
};

// Returns a card with a figure's title, caption and place.
export const figure = (made, { title, caption, tall = false, onclick } = {}) => {
  const meta = made.layout.meta || {};
  const words = [title ?? meta.title, caption ?? meta.caption];
  const place = h("div", { class: tall ? "plot tall" : "plot", role: "img", "aria-label": words.filter(Boolean).join(". ") });
  if (!tall) place.style.height = `${made.layout.height}px`;
  place.aetfxFigure = made;
  drawn.add(place);
  let asked = false;
  // A hidden tab has no size; what is drawn then is drawn again when there is one.
  const observer = new ResizeObserver(([entry]) => {
    if (!place.isConnected) { observer.disconnect(); drawn.delete(place); window.Plotly?.purge(place); return; }
    if (entry.contentRect.width > 0 && entry.contentRect.height > 0) {
      if (place.dataset.drawn) window.Plotly.Plots.resize(place);
      else if (!asked) {
        asked = true;
        react(place).then(() => onclick && place.on?.("plotly_click", (event) => onclick(event.points[0]))).catch(() => {
          place.replaceChildren(h("p", { class: "quiet" }, "This figure needs plotly.js, which could not be loaded."));
        });
      }
    }
  });
  observer.observe(place);
  return h("section", { class: "card figure" },
    words[0] && h("h2", null, words[0]), words[1] && h("p", { class: "quiet small" }, words[1]), place);
};

export const repaint = () => drawn.forEach((place) => { if (place.isConnected && place.dataset.drawn) react(place); });
