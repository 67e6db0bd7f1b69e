/** One record of the ledger: read, corrected, closed, its past, and what the model had said. */

import * as api from "./api.js";
import { bounded, tooLong } from "./bounded.js";
import { conflictPanel, DATES, readable } from "./conflict.js";
import { ask, noPicture, photoButton } from "./dialog.js";
import { markedPair } from "./diff.js";
import { button, growing, h, icon, labelled, shut, toast } from "./dom.js";
import { makeFields, MOST } from "./fields.js";
import { photoUrl } from "./pictures.js";
import { day, fieldName, moment, named, t } from "./words.js";

function photosOf(finding) {
  const all = finding.photos.map((id, i) => ({
    name: t("photo_n", { i: i + 1 }),
    url: () => photoUrl(id, "full").catch(() => null),
  }));
  return h(
    "div",
    { class: "photos", "data-count": Math.min(all.length, 4) },
    ...all.map((photo, i) => {
      const picture = h("img", { alt: "" });
      photo.url().then((url) => {
        if (url) picture.src = url;
        else picture.replaceWith(noPicture());
      });
      return photoButton(all, i, picture);
    }),
  );
}

function bothTexts(finding) {
  const section = (...content) =>
    h("section", { class: "panel" }, h("h2", {}, t("both_texts")), ...content);
  if (finding.ai_text === null) return section(h("p", { class: "soft" }, t("no_ai_text")));
  const [said, confirmed] = markedPair(finding.ai_text, finding.text);
  const equal = finding.ai_text === finding.text;
  return section(
    h(
      "div",
      { class: "texts" },
      h("div", {}, h("h3", {}, t("ai_text")), said),
      h("div", {}, h("h3", {}, t("final_text")), confirmed),
    ),
    equal && h("p", { class: "soft" }, t("texts_equal")),
  );
}

function origin(finding) {
  const facts = [
    ["outcome", named("outcome", finding.outcome)],
    ["model", finding.model],
    ["confidence_label", finding.confidence !== null && `${Math.round(100 * finding.confidence)}%`],
    ["doubt", finding.doubt && named("doubt_short", finding.doubt)],
    ["confirmed_by", finding.confirmed_by],
    ["created_at", moment(finding.created_at)],
    ["changed_at", moment(finding.changed_at)],
  ].filter(([, value]) => value);
  return h(
    "section",
    { class: "panel" },
    h("h2", {}, t("facts")),
    h("dl", {}, ...facts.flatMap(([name, value]) => [h("dt", {}, t(name)), h("dd", {}, value)])),
  );
}

function pastOf(changes) {
  const one = ({ version, at, by, fields }) =>
    h(
      "li",
      {},
      h("p", { class: "strong" }, `${by} · ${moment(at)}`),
      version === 1
        ? h("p", { class: "soft" }, t("created"))
        : h(
            "ul",
            {},
            ...Object.entries(fields).map(([name, [before, after]]) =>
              h(
                "li",
                {},
                h("span", { class: "label" }, fieldName(name)),
                ...(name === "text" && before && after
                  ? markedPair(before, after)
                  : [
                      h(
                        "p",
                        {},
                        h("del", {}, readable(name, before)),
                        " → ",
                        h("ins", {}, readable(name, after)),
                      ),
                    ]),
              ),
            ),
          ),
    );
  return h("ol", { class: "past" }, ...changes.map(one).reverse());
}

/**
 * Text, fields and date as a form; `save(changed fields)`. `typed` are changes to begin with,
 * `pending` gives those not yet saved, `fits` whether they can be.
 */
function editForm(finding, save, typed) {
  const changes = { ...typed };
  const shown = { ...finding, ...typed };
  const note = (fields) => {
    for (const [name, value] of Object.entries(fields)) {
      if ((finding[name] ?? "") === value) delete changes[name];
      else changes[name] = DATES.includes(name) ? value || null : value;
    }
    offer();
  };
  const offer = () => {
    saveButton.disabled = Object.keys(changes).length === 0 || changes.text?.trim() === "";
  };
  const text = h("textarea", {
    name: "text",
    rows: "3",
    on: { input: () => note({ text: text.value }) },
  });
  text.value = shown.text;
  growing(text);
  const textBox = labelled(t("final_text"), text, "field text");
  const bound = bounded(textBox, text, MOST);
  const found = h("input", {
    type: "date",
    name: "found_on",
    value: shown.found_on,
    on: { input: () => found.value && note({ found_on: found.value }) },
  });
  const fields = makeFields(shown, note);
  const saveButton = button("primary", t("save"), () => {}, {
    type: "submit",
    symbol: "check",
  });
  offer();
  const submit = (event) => {
    event.preventDefault();
    if (Object.keys(changes).length && fits()) save({ ...changes });
  };
  const fits = () => !tooLong(bound, ...fields.bounds);
  const form = h(
    "form",
    { class: "panel edit", on: { submit } },
    h("h2", {}, t("record")),
    textBox,
    h("div", { class: "pair" }, ...fields.main, ...fields.more, labelled(t("found_on"), found)),
    h("div", { class: "row end" }, saveButton),
  );
  return { form, fits, pending: () => ({ ...changes }) };
}

export function showFinding(root, shared, id) {
  const { session } = shared;
  let gone = false;
  let finding = null;
  let unsaved = () => ({}); // what the form holds that the record does not
  const heading = h("h1", { tabindex: "-1" }, t("loading"));
  const pill = h("span", { class: "pill" });
  const body = h("div", { class: "record" });
  const notice = h("div", {});
  const past = h("section", { class: "panel" }, h("h2", {}, t("history")));

  const failed = (error) => toast(error.message, "bad");

  const save = async (fields, version = finding.version) => {
    if (body.inert) return; // a second tap
    const held = document.activeElement;
    shut(body, true); // nothing typed meanwhile would be shown afterwards
    try {
      finding = await api.change(id, fields, version);
      shut(body, false);
      if (gone && shared.unsaved?.finding.id === id) shared.unsaved = null; // saved after all
      toast(t("saved"));
      notice.replaceChildren();
      show();
      heading.focus({ preventScroll: true });
    } catch (error) {
      shut(body, false);
      if (error.status === 412 && error.answer?.current) return settle(fields, error.answer.current);
      failed(error); // what was typed stays in the form
      held?.focus({ preventScroll: true });
    }
  };

  const settle = (mine, current) => {
    const panel = conflictPanel(finding, mine, current, {
      keep: (fields) => {
        finding = current;
        if (Object.keys(fields).length) save(fields, current.version);
        else take(current);
      },
      drop: () => take(current),
    });
    notice.replaceChildren(panel);
    panel.querySelector("h2").focus();
  };

  const take = (current) => {
    finding = current;
    notice.replaceChildren();
    show();
    heading.focus({ preventScroll: true });
  };

  const remove = async () => {
    const n = finding.number;
    const sure = await ask({
      title: t("remove_title", { n }),
      words: t("remove_ask"),
      yes: t("remove_yes"),
      danger: true,
    });
    if (!sure) return;
    try {
      await api.remove(id);
      toast(t("removed", { n }));
      location.hash = "#/ledger";
    } catch (error) {
      failed(error);
    }
  };

  const loadPast = async () => {
    try {
      const { changes } = await api.history(id);
      past.replaceChildren(h("h2", {}, t("history")), pastOf(changes));
    } catch (error) {
      past.replaceChildren(h("h2", {}, t("history")), h("p", { class: "soft" }, error.message));
    }
  };

  const show = (typed = {}) => {
    if (gone) return;
    heading.textContent = t("number", { n: finding.number });
    pill.textContent = named("status", finding.status);
    pill.dataset.state = finding.status;
    const done = finding.status === "done";
    const { form, fits, pending } = editForm(finding, save, typed);
    unsaved = pending;
    // With what was typed, which the form that is shown afterwards would not know.
    const toggle = button(done ? "plain" : "primary", t(done ? "mark_open" : "mark_done"), () => {
      if (fits()) save({ ...pending(), status: done ? "open" : "done" });
    });
    body.replaceChildren(
      h("div", { class: "left" }, photosOf(finding), bothTexts(finding)),
      h(
        "div",
        { class: "right" },
        form,
        h(
          "div",
          { class: "panel row" },
          h(
            "p",
            { class: "grow" },
            [
              t("fact", { name: t("status"), value: named("status", finding.status) }),
              finding.due && t("due_on", { date: day(finding.due) }),
            ]
              .filter(Boolean)
              .join(" · "),
          ),
          toggle,
        ),
        origin(finding),
        past,
        session.role === "admin" &&
          h("div", { class: "row end" }, button("danger", t("remove"), remove, { symbol: "bin" })),
      ),
    );
    loadPast();
  };

  root.replaceChildren(
    h("a", { class: "back", href: shared.list ?? "#/ledger" }, icon("back"), t("back_to_ledger")),
    h("header", { class: "head" }, heading, pill),
    notice,
    body,
  );
  api.finding(id).then(
    (loaded) => {
      if (gone) return; // what was typed waits for the view that is shown
      // Typed before the language was changed, or the way back was taken too soon.
      const left = shared.unsaved?.finding.id === loaded.id ? shared.unsaved : null;
      if (left) shared.unsaved = null;
      finding = left?.finding ?? loaded;
      show(left?.fields);
      if (finding.version !== loaded.version) settle(left.fields, loaded);
    },
    (error) => {
      heading.textContent = t("record");
      notice.replaceChildren(h("p", { class: "note doubt" }, error.message));
    },
  );
  return () => {
    gone = true;
    const fields = unsaved();
    if (Object.keys(fields).length) shared.unsaved = { finding, fields };
  };
}
