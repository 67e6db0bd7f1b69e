/** What a person adds to a description: place, category, level, measure, responsible, due date. */

import { bounded } from "./bounded.js";
import { ask } from "./dialog.js";
import { button, freshId, growing, h, labelled } from "./dom.js";
import { recent } from "./memory.js";
import { isoDay, named, t } from "./words.js";

/** Characters that the ledger holds. */
export const MOST = 2000;
const MOST_OF_LINE = 200;
const LEVELS = ["一般", "重大"];
const DUE = [0, 3, 7, 15]; // days ahead that ledgers usually name

/** Offer what is known for places, people and categories in all forms at once. */
export function offer(id, values) {
  document.getElementById(id).replaceChildren(...values.map((value) => h("option", { value })));
}

export function offerRecent() {
  offer("places", recent("place"));
  offer("people", recent("responsible"));
}

function line(words, name, values, changed, more = {}) {
  const input = h("input", {
    type: "text",
    name,
    value: values[name] ?? "",
    autocomplete: "off",
    ...more,
    on: { input: () => changed({ [name]: input.value }) },
  });
  const box = labelled(words, input);
  return { box, input, bound: bounded(box, input, MOST_OF_LINE) };
}

/** 一般 unless a person says otherwise and says it twice: 重大 has published criteria. */
function levelField(values, changed) {
  const name = freshId("level");
  const choose = async (level, radios) => {
    if (level === "重大") {
      const sure = await ask({
        title: t("major_title"),
        words: t("major_ask"),
        yes: t("major_yes"),
      });
      if (!sure) {
        radios.get("一般").checked = true;
        return changed({ level: "一般" });
      }
    }
    return changed({ level });
  };
  const radios = new Map();
  for (const level of LEVELS) {
    const listeners = { change: () => choose(level, radios) };
    const checked = (values.level || "一般") === level;
    radios.set(level, h("input", { type: "radio", name, value: level, checked, on: listeners }));
  }
  const choices = LEVELS.map((level) =>
    h(
      "label",
      { class: `choice ${level === "重大" ? "major" : ""}` },
      radios.get(level),
      h("span", {}, named("level", level)),
    ),
  );
  const box = h(
    "fieldset",
    { class: "field level" },
    h("legend", {}, t("level")),
    h("div", { class: "choices" }, ...choices),
  );
  return { box, show: (level) => (radios.get(level || "一般").checked = true) };
}

function dueField(values, changed) {
  const input = h("input", {
    type: "date",
    name: "due",
    value: values.due ?? "",
    on: { input: () => changed({ due: input.value }) },
  });
  const set = (days) => {
    input.value = isoDay(days);
    changed({ due: input.value });
  };
  const chips = DUE.map((days) =>
    button("chip", days ? t("due_in", { n: days }) : t("due_today"), () => set(days)),
  );
  const box = labelled(t("due"), input);
  box.append(h("div", { class: "chips" }, ...chips));
  return { box, input };
}

/**
 * The fields of a finding. `changed` gets {name: value}. Returns `main` (place, category), `more`
 * (the rest), setters, `show(values)` for values that did not come from these fields, and `bounds`
 * of their lengths.
 */
export function makeFields(values, changed) {
  const place = line(t("place"), "place", values, changed, {
    list: "places",
    placeholder: t("place_hint"),
  });
  const category = line(t("category"), "category", values, changed, {
    list: "categories",
    placeholder: t("category_hint"),
  });
  const responsible = line(t("responsible"), "responsible", values, changed, { list: "people" });
  const level = levelField(values, changed);
  const due = dueField(values, changed);
  const suggested = h("div", { class: "chips" });
  category.box.append(suggested);
  const measure = h("textarea", {
    name: "measure",
    rows: "2",
    on: { input: () => changed({ measure: measure.value }) },
  });
  measure.value = values.measure ?? "";
  const grow = growing(measure);
  const measureBox = labelled(t("measure"), measure);
  const bounds = [place.bound, category.bound, bounded(measureBox, measure, MOST), responsible.bound];
  const press = () => {
    for (const chip of suggested.children) {
      chip.setAttribute("aria-pressed", String(chip.dataset.value === category.input.value));
    }
  };
  const setCategory = (value) => {
    category.input.value = value;
    category.bound.show();
    changed({ category: value });
    press();
  };
  category.input.addEventListener("input", press);
  const inputs = {
    place: place.input,
    category: category.input,
    measure,
    responsible: responsible.input,
    due: due.input,
  };
  return {
    main: [place.box, category.box],
    more: [
      level.box,
      measureBox,
      responsible.box,
      due.box,
    ],
    /** Categories of the nearest past cases, as chips. */
    suggest(suggestions) {
      suggested.replaceChildren(
        ...suggestions.map(({ category: value, share }) =>
          button("chip", `${value} ${Math.round(100 * share)}%`, () => setCategory(value), {
            "data-value": value,
            "aria-pressed": String(value === category.input.value),
            title: t("suggested"),
          }),
        ),
      );
    },
    show(values) {
      for (const [name, input] of Object.entries(inputs)) {
        // Where they are equal the cursor stays: a person may be typing there.
        if (input.value !== (values[name] ?? "")) input.value = values[name] ?? "";
      }
      grow();
      level.show(values.level);
      press();
      for (const bound of bounds) bound.show();
    },
    bounds,
    setMeasure(value) {
      measure.value = value;
      grow();
      for (const bound of bounds) bound.show();
      changed({ measure: value });
    },
  };
}
