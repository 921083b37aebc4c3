// The verdict, the chain of fixes as a ladder of scores, and the experiments behind each step.

import { getJson } from "./api.js";
import { answer, card, h, percent, short } from "./dom.js";
import { figure } from "./plot.js";

export const diagnosis = async (context) => {
  const found = await getJson("diagnosis", { run: context.run });
  const { figures } = found;
  const facts = [found.rows && `${found.rows}`, found.cost].filter(Boolean).join(" · ");
  const head = answer(found.answer, h("p", { class: "small" }, h("span", { class: `state ${found.status}` }, found.status_word), facts && ` ${facts}`));
  const left = h("div", { class: "stack" }, figures.ladder && figure(figures.ladder, { title: "From the mean, down each fix, to PCA" }),
    figures.code_curve && figure(figures.code_curve), figures.learning_curve && figure(figures.learning_curve), figures.scores && figure(figures.scores));
  const right = h("div", { class: "stack" }, found.causes.map((cause, i) => causeCard(cause, i, found)),
    !found.causes.length && card(found.status_word, null, found.statements.map((text) => h("p", null, text)), found.sensitivity && h("p", { class: "quiet" }, found.sensitivity), found.next && h("p", null, found.next)),
    found.suspected.length ? card("Suspected, not proved", null, h("ul", { class: "plain" }, found.suspected.map((item) => h("li", null, h("b", null, item.title), " ", h("span", { class: "quiet" }, [item.evidence].flat().join(" ")))))) : null,
    figures.gains && figure(figures.gains),
    found.improvements.length ? card("Improvements", null, h("ul", { class: "plain" }, found.improvements.map((item) => h("li", null, h("b", null, item.title), ` ${percent(item.gain)} `, h("span", { class: "quiet" }, item.remedy))))) : null,
    figures.losses && figure(figures.losses));
  const out = found.ruled_out.length ? card("Ruled out", null, h("table", null, h("thead", null, h("tr", null, ["Cause", "Tried", "Gain", "Because"].map((word, i) => h("th", { class: i === 2 ? "number" : null, scope: "col" }, word)))),
    h("tbody", null, found.ruled_out.map((item) => h("tr", null, h("td", null, item.title || item.code), h("td", { class: "quiet" }, item.experiment_name || ""), h("td", { class: "number" }, item.gain === null || item.gain === undefined ? "" : percent(item.gain)), h("td", { class: "quiet small" }, item.reason || "")))))) : null;
  const said = found.causes.length ? found.statements.map((text) => h("p", { class: "quiet statement" }, text)) : [];
  return [head, said, h("div", { class: "columns even" }, left, right), out];
};

const causeCard = (cause, i, found) => {
  const behind = found.experiments.filter((item) => (item.step || 1) === (cause.step || i + 1));
  return h("section", { class: "card cause" },
    h("p", { class: "head" }, h("b", null, found.causes.length > 1 ? `${i + 1}. ` : "", cause.title), h("span", { class: "good gain" }, `${short(cause.score_before)} → ${short(cause.score_after)}: ${percent(cause.gain)} less`)),
    h("p", { class: "quiet small" }, cause.code, cause.interval && ` · 95 % interval ${cause.interval}`, cause.seeds && ` · ${cause.seeds} seeds`),
    cause.meaning && h("p", null, cause.meaning),
    [cause.evidence].flat().filter(Boolean).length ? h("ul", null, [cause.evidence].flat().map((line) => h("li", null, String(line)))) : null,
    cause.remedy && h("p", { class: "remedy" }, cause.remedy),
    cause.keras && h("pre", null, h("code", null, cause.keras.trim())),
    cause.equivalents?.length ? h("p", { class: "quiet small" }, `As good: ${cause.equivalents.join(", ")}`) : null,
    behind.length ? h("details", null, h("summary", null, `${behind.length} experiments behind this step`), h("table", null, h("tbody", null, behind.map((item) => h("tr", null, h("td", null, item.name), h("td", { class: "quiet" }, item.stage), h("td", { class: "number" }, `${short(item.score_before)} → ${short(item.score)}`), h("td", { class: "number" }, percent(item.gain)), h("td", { class: "quiet" }, item.decision)))))) : null);
};
