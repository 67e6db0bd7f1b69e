/** Whether the model's texts are of use: confirmed as they stand, changed, replaced, thrown away. */

import * as api from "./api.js";
import { button, h } from "./dom.js";
import { day, t } from "./words.js";

const OUTCOMES = ["accepted", "edited", "written", "rejected"];
const WEEKS = 12;

const total = (counts) => OUTCOMES.reduce((sum, name) => sum + counts[name], 0);
const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)}%` : "–");

/** A bar of the four shares, as wide as its row has counts beside the largest row. */
function bar(counts, largest) {
  const segments = OUTCOMES.filter((name) => counts[name]).map((name) => {
    const segment = h("span", { class: `segment ${name}` });
    segment.style.flexGrow = counts[name];
    return segment;
  });
  const line = h("span", { class: "line" }, ...segments);
  line.style.width = `${largest ? Math.max(2, (100 * total(counts)) / largest) : 0}%`;
  return h("span", { class: "bar-box", "aria-hidden": "true" }, line); // the numbers beside it say the same
}

function table(heading, first, rows) {
  const largest = Math.max(0, ...rows.map(({ counts }) => total(counts)));
  const head = [
    first,
    t("share_bar"),
    ...OUTCOMES.map((name) => t(`outcome_${name}`)),
    t("total"),
    t("share_accepted"),
  ];
  const line = ({ name, counts }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      h("td", { class: "wide" }, bar(counts, largest)),
      ...OUTCOMES.map((outcome) =>
        h("td", { "data-label": t(`outcome_${outcome}`) }, String(counts[outcome])),
      ),
      h("td", { "data-label": t("total"), class: "sum" }, String(total(counts))),
      h(
        "td",
        { "data-label": t("share_accepted"), class: "sum strong" },
        percent(counts.accepted, total(counts)),
      ),
    );
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, heading),
    rows.length
      ? h(
          "div",
          { class: "scroll", tabindex: "0", role: "region", "aria-label": heading },
          h(
            "table",
            {},
            h("thead", {}, h("tr", {}, ...head.map((words) => h("th", { scope: "col" }, words)))),
            h("tbody", {}, ...rows.map(line)),
          ),
        )
      : h("p", { class: "soft" }, t("none_counted")),
  );
}

/** The weeks, newest first, from the first in which anything was counted. */
function counted(weeks) {
  const first = weeks.findIndex((week) => total(week) > 0);
  return first < 0 ? [] : weeks.slice(first).reverse();
}

function tiles(weeks) {
  const sums = Object.fromEntries(
    OUTCOMES.map((name) => [name, weeks.reduce((sum, week) => sum + week[name], 0)]),
  );
  const whole = total(sums);
  return h(
    "ul",
    { class: "tiles" },
    ...OUTCOMES.map((name) =>
      h(
        "li",
        { class: name },
        h(
          "span",
          { class: "label" },
          h("span", { class: `swatch ${name}`, "aria-hidden": "true" }),
          t(`outcome_${name}`),
        ),
        h("strong", {}, percent(sums[name], whole)),
        h("small", {}, `${sums[name]} / ${whole}`),
      ),
    ),
  );
}

export function showDashboard(root) {
  const body = h("div", {}, h("p", { role: "status", class: "soft" }, t("loading")));
  const load = async () => {
    try {
      const { weeks, categories, models } = await api.dashboard(WEEKS);
      body.replaceChildren(
        tiles(weeks),
        table(
          t("by_week"),
          t("week"),
          counted(weeks).map((counts) => ({ name: day(counts.week), counts })),
        ),
        table(
          t("by_category"),
          t("category"),
          categories.map((counts) => ({ name: counts.category || t("no_category"), counts })),
        ),
        table(
          t("by_model"),
          t("model"),
          models.map((counts) => ({ name: counts.model, counts })),
        ),
      );
    } catch (error) {
      body.replaceChildren(
        h("p", { role: "status" }, error.message),
        button("plain", t("try_again"), load),
      );
    }
  };
  root.replaceChildren(
    h(
      "header",
      { class: "head" },
      h("h1", { tabindex: "-1" }, t("stats_title")),
      h("p", { class: "soft" }, t("stats_why")),
    ),
    body,
  );
  load();
}
