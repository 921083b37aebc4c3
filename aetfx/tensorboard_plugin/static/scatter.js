// Points in the plane on a canvas, from a figure that Python made: plotly.js takes 100 ms for 700 of them, this 5.
// Margins, titles and the colours' ends are the figure's.

import { h, short } from "./dom.js";
import { inTheme } from "./plot.js";
import * as scale from "./scale.js";

const REACH = 14; // pixels within which a point is meant
const SIZE = 3;
const WORDS = 24; // of the colours' title, as Python leaves room for

const font = (size) => `${size}px ${getComputedStyle(document.body).fontFamily}`;

// Round values between two, about as many as asked for, and how to word them.
const ticksOf = (low, high, about) => {
  const least = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(least));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= least);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const word = (value) => (step >= 1e4 || digits > 5 ? short(value) : value.toFixed(digits)).replace("-", "\u2212");
  const values = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) values.push(i * step || 0);
  return values.map((value) => [value, word(value)]);
};

// Where the values of one axis lie: the finite ones with some room at both ends.
const spanOf = (values, pixels) => {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) if (value !== null) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!(high > low)) [low, high] = [low - 1, high + 1];
  const room = (high - low) * Math.min(0.2, 12 / Math.max(1, pixels - 24));
  return [low - room, high + room];
};

// Returns a card. `title`: its head; `words`: what the colours mean; `onclick` gets the number of a point.
export const scatter = (made, { title, words, label, onclick }) => {
  const [trace] = made.data;
  const { margin, height, xaxis, yaxis } = made.layout;
  const { marker } = trace;
  const colours = marker.colorbar ? marker.color : null;
  const place = h("div", { class: "plot", role: "img", "aria-label": label, style: { height: `${height}px` } });
  let places = []; // of the points, in pixels

  const draw = (pen, width) => {
    const box = { left: margin.l, top: margin.t, right: width - margin.r, bottom: height - margin.b };
    const [x0, x1] = spanOf(trace.x, box.right - box.left);
    const [y0, y1] = spanOf(trace.y, box.bottom - box.top);
    const atX = (value) => box.left + ((value - x0) / (x1 - x0)) * (box.right - box.left);
    const atY = (value) => box.bottom - ((value - y0) / (y1 - y0)) * (box.bottom - box.top);
    const line = (role, ...ends) => { pen.strokeStyle = scale.role(role); pen.beginPath(); pen.moveTo(ends[0], ends[1]); pen.lineTo(ends[2], ends[3]); pen.stroke(); };
    const write = (text, x, y, size, align = "center") => { pen.font = font(size); pen.textAlign = align; pen.fillText(text, x, y); };
    const sharp = (value) => Math.round(value) + 0.5;
    pen.clearRect(0, 0, width, height);
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.fillStyle = scale.role("quiet");
    for (const [value, word] of ticksOf(x0, x1, xaxis.nticks)) {
      line("grid", sharp(atX(value)), box.top, sharp(atX(value)), box.bottom);
      write(word, atX(value), box.bottom + 11, 12);
    }
    for (const [value, word] of ticksOf(y0, y1, yaxis.nticks)) {
      line("grid", box.left, sharp(atY(value)), box.right, sharp(atY(value)));
      write(word, box.left - 4, atY(value), 12, "right");
    }
    line("axis", sharp(box.left), box.top, sharp(box.left), box.bottom);
    line("axis", box.left, sharp(box.bottom), box.right, sharp(box.bottom));
    write(xaxis.title.text, (box.left + box.right) / 2, box.bottom + 31, 14);
    pen.save();
    pen.translate(9, (box.top + box.bottom) / 2);
    pen.rotate(-Math.PI / 2);
    write(yaxis.title.text, 0, 0, 14);
    pen.restore();
    const shades = scale.points();
    places = trace.x.map((x, i) => (x === null || trace.y[i] === null ? null : [atX(x), atY(trace.y[i])]));
    const plain = colours ? scale.role("muted") : inTheme(marker.color);
    pen.globalAlpha = marker.opacity;
    places.forEach((at, i) => {
      if (!at) return;
      const shade = colours && colours[i] !== null ? (colours[i] - marker.cmin) / (marker.cmax - marker.cmin) : null;
      pen.fillStyle = shade === null ? plain : scale.css(shades, shade);
      pen.beginPath();
      pen.arc(...at, SIZE, 0, 2 * Math.PI);
      pen.fill();
    });
    pen.globalAlpha = 1;
    if (!colours) return;
    const [left, top, bottom, wide] = [box.right + 19, box.top + 45, box.bottom - 26, marker.colorbar.thickness];
    const ramp = pen.createLinearGradient(0, bottom, 0, top);
    for (let i = 0; i <= 4; i++) ramp.addColorStop(i / 4, scale.role(`point${i}`));
    pen.fillStyle = ramp;
    pen.fillRect(left, top, wide, bottom - top);
    pen.fillStyle = scale.role("quiet");
    write(words.length > WORDS ? `${words.slice(0, WORDS - 1)}…` : words, left, top - 12, 11, "left");
    marker.colorbar.tickvals.forEach((value, i) => {
      const share = (value - marker.cmin) / (marker.cmax - marker.cmin);
      if (share > -0.001 && share < 1.001) write(marker.colorbar.ticktext[i], left + wide + 3, bottom - share * (bottom - top), 10, "left");
    });
  };

  const near = (x, y) => {
    let [best, reach] = [-1, REACH ** 2];
    places.forEach((at, i) => {
      const far = at ? (at[0] - x) ** 2 + (at[1] - y) ** 2 : Infinity;
      if (far <= reach) [best, reach] = [i, far];
    });
    return best;
  };

  const paint = (width) => {
    const node = scale.canvas(width, height, (pen) => draw(pen, width));
    scale.hover(node, (x, y) => {
      const i = near(x, y);
      node.style.cursor = i < 0 ? "" : "pointer";
      return i < 0 ? null : [trace.text[i]];
    });
    node.addEventListener("click", (event) => {
      const i = near(event.offsetX, event.offsetY);
      if (i >= 0) onclick(trace.customdata[i]);
    });
    place.replaceChildren(node);
    place.dataset.drawn = "yes";
  };
  let drawn = 0;
  const observer = new ResizeObserver(([entry]) => {
    if (!place.isConnected) { observer.disconnect(); return; }
    const width = Math.floor(entry.contentRect.width);
    if (width > 0 && width !== drawn) paint(drawn = width); // a hidden tab has no size
  });
  observer.observe(place);
  return h("section", { class: "card figure" }, h("h2", null, title), place);
};
