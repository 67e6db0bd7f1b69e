/** The ledger: searched, filtered, paged, exported. The filters stand in the address. */

import * as api from "./api.js";
import { button, calm, h, icon, labelled, toast } from "./dom.js";
import { thumbnail } from "./pictures.js";
import { day, isoDay, named, t } from "./words.js";

const FILTERS = [
  "q",
  "category",
  "level",
  "status",
  "outcome",
  "place",
  "responsible",
  "since",
  "until",
];
const CHOICES = {
  level: ["一般", "重大"],
  status: ["open", "done"],
  outcome: ["accepted", "edited", "written"],
};

/** Address of the ledger with these filters. */
function ledgerAddress(filters) {
  const kept = Object.entries(filters).filter(([name, value]) => FILTERS.includes(name) && value);
  return `#/ledger${kept.length ? `?${new URLSearchParams(kept)}` : ""}`;
}

function row(finding) {
  const overdue = finding.status === "open" && finding.due && finding.due < isoDay();
  const where = [day(finding.found_on), finding.place, finding.responsible]
    .filter(Boolean)
    .join(" · ");
  return h(
    "li",
    {},
    h(
      "a",
      { href: `#/ledger/${encodeURIComponent(finding.id)}` },
      thumbnail(finding.photos[0], finding.photos.length ? "" : t("no_photo")),
      h(
        "span",
        { class: "grow" },
        h("strong", {}, finding.text),
        h("small", {}, `${t("number", { n: finding.number })} · ${where}`),
        h(
          "span",
          { class: "tags" },
          h(
            "span",
            { class: "pill", "data-state": finding.status },
            named("status", finding.status),
          ),
          finding.level === "重大" &&
            h("span", { class: "tag major" }, named("level", finding.level)),
          finding.category && h("span", { class: "tag" }, finding.category),
          h("span", { class: `tag ${finding.outcome}` }, named("outcome", finding.outcome)),
          finding.due &&
            h(
              "span",
              { class: `tag ${overdue ? "late" : ""}` },
              t(overdue ? "overdue" : "due_on", { date: day(finding.due) }),
            ),
        ),
      ),
    ),
  );
}

async function download(to, filters, pressed) {
  pressed.disabled = true;
  pressed.setAttribute("aria-busy", "true");
  try {
    const { name, file } = await api.exported(to, filters);
    const url = URL.createObjectURL(file);
    const link = h("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    toast(t("exported", { name }));
  } catch (error) {
    toast(error.message, "bad");
  } finally {
    pressed.disabled = false;
    pressed.removeAttribute("aria-busy");
  }
}

function filterForm(session, filters, changed) {
  const soon = calm(changed, 350);
  const set = (name, value, later) => {
    filters[name] = value;
    (later ? soon : changed)();
  };
  const line = (name, words, more = {}) => {
    const input = h("input", {
      type: "text",
      value: filters[name] ?? "",
      autocomplete: "off",
      ...more,
    });
    input.addEventListener("input", () => set(name, input.value.trim(), input.type !== "date"));
    return labelled(words, input, input.type === "date" ? "field date" : "field");
  };
  const choice = (name, words, values) => {
    const options = values.map((value) =>
      h(
        "option",
        { value, selected: filters[name] === value },
        name === "category" ? value : named(name, value),
      ),
    );
    const select = h(
      "select",
      { on: { change: () => set(name, select.value, false) } },
      h("option", { value: "" }, t("all")),
      ...options,
    );
    return labelled(words, select);
  };
  const categories = [...new Set([...session.categories, filters.category].filter(Boolean))];
  const clear = button("quiet", t("clear_filters"), () => (location.hash = "#/ledger?"));
  const used = h("span", {});
  const more = h(
    "details",
    { class: "filters" },
    h(
      "summary",
      {},
      icon("filter"),
      used,
    ),
    h(
      "div",
      { class: "grid" },
      choice("status", t("status"), CHOICES.status),
      choice("category", t("category"), categories),
      choice("level", t("level"), CHOICES.level),
      choice("outcome", t("outcome"), CHOICES.outcome),
      line("place", t("place")),
      line("responsible", t("responsible")),
      line("since", t("since"), { type: "date" }),
      line("until", t("until"), { type: "date" }),
    ),
    h("div", { class: "row end" }, clear),
  );
  const search = line("q", t("search"), {
    type: "search",
    placeholder: t("search_hint"),
    enterkeyhint: "search",
  });
  search.classList.add("search");
  const form = h(
    "form",
    { class: "panel finder", role: "search", on: { submit: (event) => event.preventDefault() } },
    search,
    more,
  );
  const showUsed = () => {
    const n = FILTERS.filter((name) => name !== "q" && filters[name]).length;
    used.textContent = n ? t("filters_on", { n }) : t("filters");
    return n;
  };
  more.open = showUsed() > 0;
  return { form, showUsed };
}

export function showLedger(root, shared, query) {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query[name] ?? ""]));
  const rows = h("ul", { class: "rows" });
  const count = h("p", { class: "soft", role: "status" });
  const foot = h("div", { class: "row center" });
  let asking = null;
  let shown = 0;
  shared.list = ledgerAddress(filters);

  const load = async (cursor = null) => {
    asking?.abort();
    const mine = new AbortController();
    asking = mine;
    if (!cursor) count.textContent = t("loading");
    foot.replaceChildren();
    try {
      const page = await api.findings({ ...filters, cursor, limit: "50" }, mine.signal);
      const items = page.items.map(row);
      if (cursor) {
        rows.append(...items);
        items[0]?.querySelector("a").focus();
      } else {
        rows.replaceChildren(...items);
        shown = 0;
      }
      shown += items.length;
      const any = Object.values(filters).some(Boolean);
      count.textContent = page.total
        ? t("shown", { n: shown, total: page.total })
        : t(any ? "none_found" : "none_yet");
      if (page.next) foot.replaceChildren(button("plain", t("load_more"), () => load(page.next)));
    } catch (error) {
      if (mine.signal.aborted) return;
      count.textContent = error.message;
      foot.replaceChildren(
        button("plain", t("try_again"), () => load(cursor), { symbol: "again" }),
      );
    }
  };
  const { form, showUsed } = filterForm(shared.session, filters, () => {
    shared.list = ledgerAddress(filters);
    history.replaceState(null, "", shared.list); // back returns to what was looked at
    showUsed();
    load();
  });
  const exporting = (to, words) => {
    const pressed = button("plain", words, () => download(to, filters, pressed), {
      symbol: "down",
    });
    return pressed;
  };
  root.replaceChildren(
    h(
      "header",
      { class: "head" },
      h("h1", { tabindex: "-1" }, t("ledger")),
      h(
        "div",
        { class: "row" },
        exporting("xlsx", t("export_xlsx")),
        exporting("pairs", t("export_pairs")),
      ),
      h("p", { class: "soft" }, t("export_help")),
    ),
    form,
    count,
    rows,
    foot,
  );
  load();
  return () => asking?.abort();
}
