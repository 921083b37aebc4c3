// The code of the kept rows in the plane: who is near whom, and where the model fails.

import { getJson, getPack } from "./api.js";
import { answer, card, h } from "./dom.js";
import { draw } from "./rows.js";
import { scatter } from "./scatter.js";
import { openTab } from "./state.js";

export const latent = async (context) => {
  const { board, state } = context;
  const colour = state.colour || "error";
  const found = await getJson("latent", { ...context.ask, colour });
  const names = board.kept.names || [];
  const choice = h("select", { "aria-label": "Colour by", "data-key": "colour", onchange: (event) => context.show({ colour: event.target.value === "error" ? null : event.target.value }) },
    h("option", { value: "error", selected: colour === "error" }, "row error"),
    board.kept.labels && h("option", { value: "label", selected: colour === "label" }, "label"),
    names.slice(0, 1000).map((name, i) => h("option", { value: `column:${i}`, selected: colour === `column:${i}` }, name)));
  const tools = h("div", { class: "tools-line" }, h("label", null, "Colour by ", choice),
    h("span", { class: "quiet small" }, "Click a point to see its row."),
    board.has.projector && h("button", { class: "link small", onclick: () => openTab("projector") }, "Open the best code in the Projector"));
  const seen = h("div", { "aria-live": "polite" });
  const open = async (at) => {
    seen.replaceChildren(h("p", { class: "quiet" }, "Reading the row …"));
    try {
      const pack = await getPack("rows", { ...context.ask, at });
      seen.replaceChildren(draw(pack, context, pack.kind === "picture"));
      seen.dataset.row = String(at);
      seen.scrollIntoView({ block: "nearest" });
    } catch (problem) {
      seen.replaceChildren(card(null, problem.message));
    }
  };
  const plots = found.figures.map(({ figure, pick, words }) => {
    const name = figure.layout.meta.title;
    return scatter(figure, { title: h("span", { class: "versus" }, h("span", { class: `swatch p${pick}` }, "ABCD"[pick]), name), words, label: `The code of ${name}, coloured by ${words}`, onclick: open });
  });
  return [answer(found.answer), tools, h("div", { class: plots.length > 1 ? "columns even" : "" }, plots), seen];
};
