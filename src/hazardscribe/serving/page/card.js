/** A card on the page: its photos, its state in words, the text, what the model offers, what to do. */

import { bounded, tooLong } from "./bounded.js";
import { stateOf, usablePhotos } from "./card_state.js";
import { photoButton } from "./dialog.js";
import { button, freshId, growing, h, labelled } from "./dom.js";
import { makeFields, MOST } from "./fields.js";
import { problemWords, saidNotes } from "./said.js";
import { named, t } from "./words.js";

/**
 * `actions`: edit(fields), confirm(), discard(), retry(), select(on), addPhoto(), split().
 * `update(card)` shows what has changed and leaves focus and the person's typing alone.
 */
export class CardView {
  #queue;
  #actions;
  #photosShown = "";
  #saidShown = null;
  #touchedShown = null;
  #parts = {};

  constructor(card, queue, actions) {
    this.#queue = queue;
    this.#actions = actions;
    this.card = card;
    this.element = this.#build(card);
    this.update(card);
  }

  get name() {
    return t("card", { n: this.card.number });
  }

  set selected(on) {
    this.#parts.select.checked = on;
    this.element.classList.toggle("selected", on);
  }

  /** Not the text: that would bring up a phone's keyboard. */
  focus() {
    this.#parts.title.focus({ preventScroll: true });
  }

  #build(card) {
    const heading = freshId("card");
    const changed = (fields) => this.#actions.edit(fields);
    const fields = makeFields(card, changed);
    const text = h("textarea", {
      name: "text",
      rows: "2",
      placeholder: t("text_hint"),
      on: { input: () => changed({ text: text.value }) },
    });
    const textBox = labelled(t("text"), text, "field text");
    const select = h("input", {
      type: "checkbox",
      "aria-label": t("select", { name: this.name }),
      on: { change: () => this.#actions.select(select.checked) },
    });
    const parts = {
      title: h("h3", { id: heading, tabindex: "-1" }),
      pill: h("span", { class: "pill" }),
      select,
      photos: h("div", { class: "photos" }),
      state: h("div", { class: "state-words" }),
      text,
      grow: growing(text),
      bound: bounded(textBox, text, MOST),
      notes: h("div", { class: "notes" }),
      fields,
      actions: h("div", { class: "row actions" }),
    };
    this.#parts = parts;
    parts.confirm = button("primary", t("confirm"), () => this.#confirm(), { symbol: "check" });
    parts.split = button("quiet", t("split"), () => this.#actions.split());
    const add = button("quiet", t("add_photo_short"), () => this.#actions.addPhoto(), {
      symbol: "plus",
      "aria-label": t("add_photo", { name: this.name }),
    });
    const discard = button("quiet", t("discard"), () => this.#actions.discard(), { symbol: "bin" });
    parts.actions.append(parts.confirm, h("span", { class: "spring" }), add, parts.split, discard);
    return h(
      "article",
      { class: "card", "aria-labelledby": heading },
      h("div", { class: "shots" }, parts.photos, h("label", { class: "select" }, select)),
      h(
        "div",
        { class: "words" },
        h("header", {}, parts.title, parts.pill),
        parts.state,
        textBox,
        parts.notes,
        h("div", { class: "pair" }, ...fields.main),
        h(
          "details",
          { class: "more" },
          h("summary", {}, t("more")),
          h("div", { class: "pair" }, ...fields.more),
        ),
        parts.actions,
      ),
    );
  }

  #confirm() {
    const { text, bound, fields } = this.#parts;
    if (!text.value.trim()) {
      bound.complain(t("text_needed"));
      text.focus();
      return;
    }
    if (tooLong(bound, ...fields.bounds)) return; // which says so
    // A draft that is still arriving is not a text that a person has read to its end.
    this.#actions.confirm(text.value);
  }

  update(card) {
    this.card = card;
    const { title, pill, text, notes, fields } = this.#parts;
    const state = stateOf(card);
    const locked = card.task === "confirm";
    this.element.dataset.state = state;
    title.textContent =
      card.photos.length > 1
        ? `${this.name} · ${t("card_photos", { n: card.photos.length })}`
        : this.name;
    pill.textContent = named("state", state);
    pill.dataset.state = state;
    this.#showState(card, state);
    this.#showPhotos(card);
    if (text.value !== card.text && (!card.touched || document.activeElement !== text)) {
      text.value = card.text;
    }
    this.#parts.bound.show();
    fields.show(card); // cards are joined, and change in other tabs
    text.placeholder = t(card.task === "describe" ? "text_wait" : "text_hint");
    this.#parts.grow();
    if (this.#saidShown !== card.said || this.#touchedShown !== card.touched) {
      this.#saidShown = card.said;
      this.#touchedShown = card.touched;
      const unfolded = notes.querySelector("details")?.open && card.said;
      notes.replaceChildren(
        ...saidNotes(card, {
          use: (words) => this.#use(words),
          useMeasure: (words) => fields.setMeasure(words),
        }),
      );
      const past = notes.querySelector("details");
      if (past && unfolded) past.open = true; // a person is reading it
      fields.suggest(card.said?.suggestions ?? []);
    }
    this.#parts.split.hidden = card.photos.length < 2;
    // A finding on its way is as the person confirmed it, or a second try would not be the same.
    for (const control of this.element.querySelectorAll("input, textarea, button")) {
      if (!control.closest(".state-words, .photos")) control.disabled = locked;
    }
    this.#parts.confirm.disabled = locked || (state === "describing" && !card.touched);
  }

  #use(words) {
    this.#parts.text.value = words;
    this.#actions.edit({ text: words });
    this.#parts.bound.complain(null);
    this.#parts.grow();
    this.#parts.text.focus();
  }

  #showState(card, state) {
    const words = [];
    let again = null;
    if (state === "offline") {
      words.push(t(card.task === "confirm" ? "retry_offline_confirmed" : "retry_offline"));
      again = t("retry_now");
    } else if (state === "failed") {
      const without = usablePhotos(card).length ? "write_yourself" : "no_photo_left";
      words.push(problemWords(card.why), card.key ? "" : t(without));
      again = t("retry");
    } else if (card.why?.code === "held") {
      words.push(card.why.message);
    } else if (card.task && card.why) {
      words.push(card.why.message || t("retry_soon"));
      if (card.why.message) words.push(t("retry_soon"));
      again = t("retry_now");
    } else if (state === "describing" && card.position) {
      words.push(t("queue_position", { n: card.position }));
    }
    const shown = words.filter(Boolean).join(" ");
    const signature = `${shown}|${again}`;
    if (this.#parts.state.dataset.signature === signature) return;
    this.#parts.state.dataset.signature = signature;
    this.#parts.state.replaceChildren(
      ...(shown ? [h("p", {}, shown)] : []),
      ...(again ? [button("quiet", again, () => this.#actions.retry(), { symbol: "again" })] : []),
    );
  }

  async #showPhotos(card) {
    const signature = card.photos.join();
    if (this.#photosShown === signature) return;
    this.#photosShown = signature;
    const large = new Map(); // object URLs while the photos are seen large
    const urlOf = async (id) => {
      const blob = await this.#queue.photo(id).catch(() => null);
      if (blob && !large.has(id)) large.set(id, URL.createObjectURL(blob));
      return large.get(id) ?? this.#queue.thumbUrl(id);
    };
    const closed = () => {
      for (const url of large.values()) URL.revokeObjectURL(url);
      large.clear();
    };
    const all = card.photos.map((id, i) => ({
      name: t("photo_of", { name: this.name, i: i + 1 }),
      url: () => urlOf(id),
    }));
    const urls = await Promise.all(card.photos.map((id) => this.#queue.thumbUrl(id)));
    if (this.#photosShown !== signature) return;
    this.#parts.photos.dataset.count = Math.min(urls.length, 4);
    this.#parts.photos.replaceChildren(
      ...urls.map((url, i) => photoButton(all, i, url && h("img", { src: url, alt: "" }), closed)),
    );
  }
}

/** A confirmed finding, small: it is in the ledger now. */
export function doneRow(card, queue) {
  const picture = h("img", { alt: "" });
  const shot = h("span", { class: "mini" }, picture);
  if (card.photos[0]) {
    queue.thumbUrl(card.photos[0]).then((url) => (url ? (picture.src = url) : picture.remove()));
  }
  return h(
    "li",
    { "data-state": "confirmed" },
    h(
      "a",
      { href: `#/ledger/${card.finding.id}` },
      shot,
      h(
        "span",
        { class: "grow" },
        h("strong", {}, card.text),
        h("small", {}, t("see_in_ledger", { n: card.finding.number })),
      ),
      h("span", { class: "pill", "data-state": "confirmed" }, t("state_confirmed")),
    ),
  );
}
