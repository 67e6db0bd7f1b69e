/** What the model offers for a card, in words: doubt, replaced drafts, other wordings, past cases. */

import { isUnusable } from "./card_state.js";
import { button, h } from "./dom.js";
import { day, t } from "./words.js";

const OFFERED = 4; // other wordings; more would be slower to read than to write

const chipsOf = (texts, use) =>
  h("div", { class: "chips" }, ...texts.map((text) => button("chip", text, () => use(text))));

function sure(confidence) {
  const n = Math.round(100 * confidence);
  const level = confidence >= 0.8 ? "high" : confidence >= 0.5 ? "middle" : "low";
  return h(
    "p",
    { class: `sure ${level}` },
    h("span", { class: "dot", "aria-hidden": "true" }),
    `${t("ai_drafted")} · ${t(`confidence_${level}`)} ${n}%`,
  );
}

function pastCases(similar, useMeasure) {
  const one = (past) =>
    h(
      "li",
      {},
      h("p", {}, past.text),
      h(
        "p",
        { class: "soft" },
        [
          past.category,
          past.place,
          past.date && day(past.date),
          t("similarity", { n: Math.round(100 * past.similarity) }),
        ]
          .filter(Boolean)
          .join(" · "),
      ),
      past.measure && h("p", {}, t("fact", { name: t("measure"), value: past.measure })),
      past.measure && button("chip", t("use_measure"), () => useMeasure(past.measure)),
    );
  return h(
    "details",
    { class: "more" },
    h("summary", {}, t("similar", { n: similar.length })),
    h("ul", { class: "past" }, ...similar.map(one)),
  );
}

/** Why something was refused, in the page's own language where that is known. */
export function problemWords({ code, message }) {
  return isUnusable(code) ? t(`problem_${code}`) : message;
}

/** Elements that go below the text. `use(text)` takes a wording over, `useMeasure(text)` a measure. */
export function saidNotes(card, { use, useMeasure }) {
  const { said } = card;
  if (!said) return [];
  const notes = [];
  if (said.doubt) {
    const offered = said.doubt === "likely_safe" ? [said.text, said.draft] : [said.draft];
    notes.push(
      h(
        "div",
        { class: "note doubt" },
        said.replaced && h("p", {}, t("withdrawn")),
        h("p", {}, t(`doubt_${said.doubt}`)),
        chipsOf([...new Set(offered)], use),
      ),
    );
  } else if (card.touched && card.text !== said.text) {
    notes.push(h("div", { class: "note" }, h("p", {}, t("use_model")), chipsOf([said.text], use)));
  }
  if (said.replaced && !said.doubt) {
    notes.push(
      h(
        "div",
        { class: "note replaced" },
        h("p", {}, t("replaced")),
        chipsOf([said.replaced], use),
      ),
    );
  }
  if (said.confidence !== null && !said.doubt) notes.push(sure(said.confidence));
  for (const problem of said.problems) {
    const words = t("photo_problem", { i: problem.photo, why: problemWords(problem) });
    notes.push(h("p", { class: "note doubt" }, words));
  }
  const known = [said.text, said.replaced, said.draft];
  const others = said.alternatives.filter((text) => !known.includes(text)).slice(0, OFFERED);
  if (others.length) {
    notes.push(
      h(
        "div",
        { class: "others", role: "group", "aria-label": t("alternatives") },
        h("p", { class: "label" }, t("alternatives")),
        chipsOf(others, use),
      ),
    );
  }
  if (said.similar.length) notes.push(pastCases(said.similar, useMeasure));
  return notes;
}
