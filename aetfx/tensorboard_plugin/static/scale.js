// Colours of numbers, and a tooltip; for what is drawn on a canvas.

import { h } from "./dom.js";
import { isDark } from "./state.js";

let roles = { light: {}, dark: {} };
export const setRoles = (light, dark) => { roles = { light, dark }; };
export const role = (name) => (isDark() ? roles.dark : roles.light)[name];

const parse = (colour) => [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));

// A table of 256 colours between the given ones.
const table = (names) => {
  const stops = names.map((name) => parse(role(name)));
  const out = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const left = Math.min(stops.length - 2, Math.floor(at));
    for (let c = 0; c < 3; c++) out[3 * i + c] = stops[left][c] + (stops[left + 1][c] - stops[left][c]) * (at - left);
  }
  return out;
};
export const heat = () => table(["heat0", "heat1", "heat2", "heat3", "heat4"]);
export const diverging = () => table(["low2", "low1", "middle", "high1", "high2"]);
export const points = () => table(["point0", "point1", "point2", "point3", "point4"]);
export const bad = () => parse(role("before"));
export const css = (colours, share) => {
  const i = 3 * Math.max(0, Math.min(255, Math.round(255 * share)));
  return `rgb(${colours[i]},${colours[i + 1]},${colours[i + 2]})`;
};

// A canvas as sharp as the screen; `draw` gets its context in CSS pixels.
export const canvas = (width, height, draw, attributes = {}) => {
  const node = h("canvas", attributes);
  const paint = () => {
    const ratio = window.devicePixelRatio || 1;
    node.width = Math.round(width * ratio);
    node.height = Math.round(height * ratio);
    const context = node.getContext("2d");
    context.scale(ratio, ratio);
    draw(context);
  };
  node.style.width = `${width}px`;
  node.style.height = `${height}px`;
  node.paint = paint;
  node.classList.add("painted");
  paint();
  return node;
};
export const repaint = () => document.querySelectorAll("canvas.painted").forEach((node) => node.paint());

const tip = h("div", { class: "tip", role: "tooltip" });
export const hover = (node, say) => {
  node.addEventListener("pointermove", (event) => {
    const box = node.getBoundingClientRect();
    const words = say(event.clientX - box.left, event.clientY - box.top);
    if (!words) return void tip.remove();
    tip.replaceChildren(...words.map((line) => h("div", null, line)));
    if (!tip.isConnected) document.body.append(tip);
    const width = tip.offsetWidth;
    tip.style.left = `${Math.min(event.clientX + 14, window.innerWidth - width - 8)}px`;
    tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
  });
  node.addEventListener("pointerleave", () => tip.remove());
};
export const hideTip = () => tip.remove();
