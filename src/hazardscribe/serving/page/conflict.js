/**
 * Two people changed one record: both versions side by side, field by field, and the person
 * chooses. What only one of the two changed is chosen already; what both changed is not.
 */

import { button, freshId, h } from "./dom.js";
import { day, named, t } from "./words.js";

export const DATES = ["due", "found_on"];

/** A field's value as people read it. */
export function readable(name, value) {
  if (value === null || value === undefined || value === "") return t("nothing");
  if (DATES.includes(name)) return day(value);
  if (name === "level" || name === "status") return named(name, value);
  return value;
}

/**
 * `base`: the record as it was opened; `mine`: {name: value} that was to be saved; `current`: the
 * record as it is now. Gives an element; `keep(fields)` gets what is to be saved on `current`,
 * `drop()` is called when the person gives their changes up.
 */
export function conflictPanel(base, mine, current, { keep, drop }) {
  const names = Object.keys(mine).filter((name) => (mine[name] ?? "") !== (current[name] ?? ""));
  const choices = new Map();
  const save = button("primary", t("keep_chosen"), () => {
    const taken = names.filter((name) => choices.get(name) === "mine");
    keep(Object.fromEntries(taken.map((name) => [name, mine[name]])));
  });
  const check = () => (save.disabled = names.some((name) => !choices.get(name)));
  const choice = (name, whose, value, group) => {
    const input = h("input", {
      type: "radio",
      name: group,
      checked: choices.get(name) === whose,
      on: {
        change: () => {
          choices.set(name, whose);
          check();
        },
      },
    });
    const who = h("span", { class: "label" }, t(whose));
    return h(
      "label",
      { class: "version" },
      input,
      h("span", {}, who, h("span", { class: "value" }, readable(name, value))),
    );
  };
  const fields = names.map((name) => {
    const theyChanged = (base[name] ?? "") !== (current[name] ?? "");
    choices.set(name, theyChanged ? null : "mine");
    const group = freshId("version");
    return h(
      "fieldset",
      { class: "versions" },
      h("legend", {}, t(name)),
      choice(name, "mine", mine[name], group),
      choice(name, "theirs", current[name], group),
    );
  });
  check();
  return h(
    "section",
    { class: "panel conflict", "aria-labelledby": "conflict-heading" },
    h("h2", { id: "conflict-heading", tabindex: "-1" }, t("conflict_title")),
    h("p", {}, t("conflict_why")),
    ...fields,
    h("div", { class: "row end" }, button("plain", t("keep_theirs"), drop), save),
  );
}
