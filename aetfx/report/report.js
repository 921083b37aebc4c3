// Draws the figures of a report in the colours of the reader's scheme, nearest to the top first.
(() => {
  "use strict";
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("figures");
  const toDark = read("palette");
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { displayModeBar: false, responsive: true, doubleClick: false };

  const recolour = (item) => {
    if (typeof item === "string") return toDark[item] || item;
    if (Array.isArray(item)) return item.map(recolour);
    if (item && typeof item === "object") {
      return Object.fromEntries(Object.entries(item).map(([key, value]) => [key, recolour(value)]));
    }
    return item;
  };

  const places = [...document.querySelectorAll("[data-figure]")];
  const draw = (place) => {
    const made = figures[place.dataset.figure];
    const { data, layout } = scheme.matches ? recolour(made) : structuredClone(made);
    if (place.classList.contains("fill")) delete layout.height; // as tall as its card
    return Plotly.react(place, data, layout, config);
  };
  const drawFrom = (index) => {
    if (index === places.length) {
      document.documentElement.dataset.drawn = "all";
      return;
    }
    // One figure per turn keeps the page alive under the reader's hand.
    draw(places[index]).then(() => setTimeout(drawFrom, 0, index + 1));
  };
  drawFrom(0);
  scheme.addEventListener("change", () => places.forEach(draw));
})();
