// Draws the small histograms: those beside the evidence at once, those of all columns as they are scrolled to.
(() => {
  "use strict";
  const { size, tall, splits, codes, columns } = JSON.parse(document.getElementById("columns").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const CHUNK = 60; // cards added at a time
  const words = ["error", "warning", "info", ""];

  const make = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text; // never as HTML: names come from the data
    return node;
  };
  const svg = (name, attributes) => {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };

  // The first split is filled; the others are outlines upon it.
  const filled = (bars) => bars.map(([a, b, h]) => `M${a} ${tall}V${tall - h}H${b}V${tall}Z`).join("");
  const outline = (bars) => {
    let path = "", last = null;
    for (const [a, b, h] of bars) {
      path += last !== null && a <= last + 1 ? `L${a} ${tall - h}` : `${last === null ? "" : `V${tall}`}M${a} ${tall}V${tall - h}`;
      path += `H${b}`;
      last = b;
    }
    return path && `${path}V${tall}`;
  };

  const number = (value) => {
    const near = Math.abs(value);
    return near !== 0 && (near >= 1e6 || near < 1e-4) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  };
  const share = (value) => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;

  const picture = (column) => {
    const { plot } = column;
    const image = svg("svg", { viewBox: `0 0 ${size} ${tall}`, preserveAspectRatio: "none", role: "img" });
    image.setAttribute("aria-label", `Histogram of ${column.name} from ${plot.low} to ${plot.high}`);
    plot.bars.forEach((bars, index) => {
      if (!bars.length) return;
      const d = index === 0 ? filled(bars) : outline(bars);
      image.append(svg("path", { d, class: `bars ${splits[index]}` }));
    });
    return image;
  };

  // What lies below the pointer: "12.1 to 13.4: train 8.2 %, eval 3.1 %".
  const say = (column, at) => {
    const [low, high] = column.plot.ends;
    const value = (place) => number(low + (place / size) * (high - low));
    const parts = [];
    let range = "";
    column.plot.bars.forEach((bars, index) => {
      const bar = bars.find(([a, b]) => a <= at && at <= b);
      if (!bar) return;
      range = range || `${value(bar[0])} to ${value(bar[1])}: `;
      parts.push(splits.length > 1 ? `${splits[index]} ${share(bar[3])}` : share(bar[3]));
    });
    return range + parts.join(", ");
  };

  const axis = (column) => {
    const { low, high, below, above, far } = column.plot;
    const node = make("div", "ends");
    const left = make("span", far[0] ? "far" : "", below === null ? low : `◂ ${below}`);
    const right = make("span", far[1] ? "far" : "", above === null ? high : `${above} ▸`);
    if (below !== null) left.title = `The picture starts at ${low}; the smallest value is ${below}.`;
    if (above !== null) right.title = `The picture ends at ${high}; the largest value is ${above}.`;
    const middle = make("span", "read");
    node.append(left, middle, right);
    return [node, middle];
  };

  const values = (top) => {
    const list = make("ol", "top");
    const most = Math.max(...top.map(([, count]) => count));
    for (const [value, count] of top) {
      const line = make("li");
      const bar = make("i");
      bar.style.width = `${(100 * count) / most}%`;
      line.append(bar, make("span", "", value), make("span", "count", count.toLocaleString("en")));
      list.append(line);
    }
    return list;
  };

  const card = (column) => {
    const node = make("article", "card feature");
    const head = make("h3");
    if (words[column.severity]) head.append(make("span", `dot ${words[column.severity]}`));
    head.append(make("span", "", column.name));
    head.title = column.name;
    node.append(head);
    if (column.plot) {
      const image = picture(column);
      const [ends, read] = axis(column);
      image.addEventListener("pointermove", (event) => {
        const box = image.getBoundingClientRect();
        read.textContent = say(column, ((event.clientX - box.left) / box.width) * size);
        ends.classList.toggle("reading", read.textContent !== "");
      });
      image.addEventListener("pointerleave", () => { read.textContent = ""; ends.classList.remove("reading"); });
      node.append(image, ends);
    } else if (column.top) {
      node.append(values(column.top));
    } else {
      node.append(make("p", "empty", "nothing to draw"));
    }
    column.facts.forEach((facts, index) => {
      const line = make("p", "split");
      if (splits.length > 1) line.append(make("span", `key ${splits[index]}`));
      const said = make("span");
      facts.forEach((fact, place) => {
        if (place) said.append(" · ");
        said.append(make("span", /missing|infinite|no finite|not there/.test(fact) ? "flag" : "", fact));
      });
      line.append(said);
      node.append(line);
    });
    const links = make("p", "links");
    const seen = new Set();
    for (const index of column.found) {
      if (seen.has(codes[index])) continue;
      seen.add(codes[index]);
      const link = make("a", "tag", codes[index]);
      link.href = document.getElementById(`finding-${index}`) ? `#finding-${index}` : "#findings";
      links.append(link);
    }
    if (column.broken) {
      const link = make("a", "tag", column.broken);
      link.href = "#anomalies";
      links.append(link);
    }
    if (links.childNodes.length) node.append(links);
    return node;
  };

  document.querySelectorAll(".small-plot").forEach((place) => {
    const column = columns[place.dataset.column];
    if (column.plot) place.append(picture(column));
  });

  const grid = document.getElementById("grid");
  if (grid) {
    const shown = document.getElementById("shown");
    const search = document.getElementById("search");
    const choices = [...document.querySelectorAll("button[data-only]")];
    const texts = columns.map((column) =>
      [column.name, ...column.found.map((index) => codes[index]), column.broken || ""].join("\n").toLowerCase());
    let chosen = [], drawn = 0, only = "all";

    const more = () => {
      const next = chosen.slice(drawn, drawn + CHUNK).map((index) => card(columns[index]));
      grid.append(...next);
      drawn += next.length;
    };
    const choose = () => {
      const wanted = search.value.trim().toLowerCase();
      chosen = [];
      texts.forEach((text, index) => {
        const flagged = columns[index].severity < words.length - 1;
        if (text.includes(wanted) && (only === "all" || flagged)) chosen.push(index);
      });
      grid.replaceChildren();
      drawn = 0;
      const all = columns.length.toLocaleString("en");
      shown.textContent = chosen.length === columns.length ? "" : `${chosen.length.toLocaleString("en")} of ${all}`;
      if (!chosen.length) grid.append(make("p", "quiet", "No column matches."));
      more();
    };
    search.addEventListener("input", choose);
    choices.forEach((button) => button.addEventListener("click", () => {
      only = button.dataset.only;
      choices.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
      choose();
    }));
    choose();
    new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting) && drawn < chosen.length) more();
    }, { rootMargin: "1200px" }).observe(document.getElementById("end"));
    // A jump to the end brings the observer's place into view and keeps it there: it is told only of changes.
    addEventListener("scroll", () => {
      if (drawn < chosen.length && document.getElementById("end").getBoundingClientRect().top < innerHeight + 1200) more();
    }, { passive: true });
  }

  document.documentElement.dataset.drawn = "all";
})();
