/** The first view: photos in, cards out. */

import { CardView, doneRow } from "./card.js";
import { stateOf } from "./card_state.js";
import { ask } from "./dialog.js";
import { announce, button, freshId, h, icon, shut, toast } from "./dom.js";
import { looksLikePhoto } from "./photos.js";
import { problemWords } from "./said.js";
import { t } from "./words.js";

/** An input for photos, dressed as a button; the input itself takes focus and keys. */
function photoInput(kind, symbol, words, attributes, onFiles) {
  const id = freshId("photos");
  const input = h("input", {
    type: "file",
    id,
    class: "unseen",
    accept: "image/*",
    ...attributes,
    on: {
      change: () => {
        onFiles([...input.files]);
        input.value = ""; // the same photo may be chosen again
      },
    },
  });
  const label = h("label", { for: id, class: `button ${kind}` }, icon(symbol), ...words);
  return {
    input,
    element: h("span", { class: `pick ${attributes.capture ? "camera" : ""}` }, input, label),
  };
}

export function showCapture(root, { queue }) {
  const views = new Map();
  const chosen = new Set();
  const told = new Map(); // card id: state that was last announced
  let into = null; // card that the next photos belong to

  const add = async (files, card = null) => {
    const photos = files.filter(looksLikePhoto);
    for (const file of files)
      if (!photos.includes(file)) toast(t("not_photo", { name: file.name }), "bad");
    if (!photos.length) return;
    const already = card ? (queue.card(card)?.photos.length ?? 0) : 0;
    if (card && already + photos.length > queue.limits.max_photos) {
      toast(t("too_many", { n: queue.limits.max_photos }), "bad");
      return;
    }
    const added = await queue.add(photos, card);
    if (added) announce(t("say_added", { n: added }));
  };

  const camera = photoInput(
    "primary big",
    "camera",
    [h("span", {}, t("take"))],
    { capture: "environment" },
    (files) => add(files),
  );
  const album = photoInput(
    "plain big",
    "album",
    [
      h("span", { class: "only-touch" }, t("pick")),
      h("span", { class: "only-mouse" }, t("pick_desk")),
    ],
    { multiple: true },
    (files) => add(files),
  );
  const more = h("input", {
    type: "file",
    class: "unseen",
    accept: "image/*",
    multiple: true,
    tabindex: "-1",
    "aria-hidden": "true",
    on: {
      change: () => {
        add([...more.files], into);
        more.value = "";
      },
    },
  });

  const open = h("div", { class: "cards" });
  const done = h("ul", { class: "rows" });
  const openHeading = h("h2", {});
  const doneSection = h(
    "section",
    { class: "done", "aria-labelledby": "done-heading" },
    h(
      "header",
      { class: "row" },
      h("h2", { id: "done-heading" }, t("done_heading")),
      h("span", { class: "spring" }),
      button("quiet", t("clear_done"), () => queue.clearDone()),
    ),
    done,
  );
  const empty = h(
    "div",
    { class: "empty" },
    icon("camera"),
    h("p", { class: "strong" }, t("capture_empty")),
    h("p", { class: "only-touch" }, t("capture_empty_phone")),
    h("p", { class: "only-mouse" }, t("capture_empty_desk")),
  );
  const selection = h("div", {
    class: "selection",
    role: "region",
    "aria-label": t("join"),
    hidden: true,
  });
  const veil = h("div", { class: "veil", hidden: true }, h("p", {}, t("drop_here")));

  const showSelection = () => {
    for (const id of chosen) if (!views.has(id)) chosen.delete(id);
    for (const [id, view] of views) view.selected = chosen.has(id);
    selection.hidden = chosen.size === 0;
    root.toggleAttribute("data-selecting", !selection.hidden);
    if (selection.hidden) return;
    const join = button("primary", t("join"), joinChosen, {
      symbol: "join",
      disabled: chosen.size < 2,
    });
    const cancel = button("plain", t("cancel"), () => {
      chosen.clear();
      showSelection();
    });
    selection.replaceChildren(
      h("p", { role: "status" }, t("selected", { n: chosen.size })),
      join,
      cancel,
    );
  };

  const joinChosen = async () => {
    const ids = [...chosen].filter((id) => queue.isOpen(id));
    const photos = ids.reduce((sum, id) => sum + queue.card(id).photos.length, 0);
    if (photos > queue.limits.max_photos) {
      toast(t("too_many", { n: queue.limits.max_photos }), "bad");
      return;
    }
    chosen.clear();
    const card = await queue.join(ids);
    showSelection();
    if (ids.length < 2) return; // the others were confirmed meanwhile
    announce(t("say_joined", { n: photos }));
    views.get(card.id)?.focus();
  };

  /** Where focus goes when the card that holds it is done with. */
  const focusAfter = (element) => {
    if (!element.contains(document.activeElement)) return;
    const next = element.nextElementSibling ?? element.previousElementSibling;
    const view = [...views.values()].find((other) => other.element === next);
    if (view) view.focus();
    else album.input.focus({ preventScroll: true });
  };

  const forget = (id) => {
    const view = views.get(id);
    if (!view) return;
    focusAfter(view.element);
    view.element.remove();
    views.delete(id);
    told.delete(id);
    showSelection();
  };

  const discard = async (card) => {
    const sure = await ask({
      title: t("discard_title"),
      words: t("discard_ask"),
      yes: t("discard"),
      danger: true,
    });
    if (sure) queue.discard(card.id);
  };

  const actionsOf = (card) => ({
    edit: (fields) => queue.edit(card.id, fields),
    confirm: (text) => {
      if (!queue.isOpen(card.id)) return; // another tab was quicker
      queue.edit(card.id, text === queue.card(card.id).text ? {} : { text });
      focusAfter(views.get(card.id).element); // its controls are locked from now on
      chosen.delete(card.id);
      showSelection();
      queue.confirm(card.id);
    },
    discard: () => discard(card),
    retry: () => queue.retry(card.id),
    split: () => queue.split(card.id),
    addPhoto: () => {
      into = card.id;
      more.click();
    },
    select: (on) => {
      if (on) chosen.add(card.id);
      else chosen.delete(card.id);
      showSelection();
    },
  });

  /** Say the turns that matter, each once; not every word of a draft. */
  const tell = (card) => {
    const state = stateOf(card);
    const before = told.get(card.id);
    told.set(card.id, state);
    if (before === undefined || before === state) return;
    const name = t("card", { n: card.number });
    if (state === "ready") {
      announce(
        card.said?.doubt ? t("say_doubt", { name }) : t("say_ready", { name, text: card.text }),
      );
    } else if (state === "failed") {
      announce(t("say_failed", { name, why: problemWords(card.why) }));
    } else if (state === "offline") {
      announce(t("say_offline", { name }));
    } else if (state === "confirmed") {
      const words = t("say_confirmed", { name, n: card.finding.number });
      toast(words);
    }
  };

  const showCounts = () => {
    const waiting = queue.cards.filter((card) => !card.finding).length;
    const finished = queue.cards.length - waiting;
    openHeading.textContent = `${t("open_heading")} ${waiting}`;
    openHeading.hidden = !waiting;
    empty.hidden = Boolean(waiting);
    root.dataset.cards = waiting;
    doneSection.hidden = !finished;
    if (done.children.length !== finished) {
      done.replaceChildren(
        ...queue.cards.filter((card) => card.finding).map((card) => doneRow(card, queue)),
      );
    }
  };

  const onChange = ({ detail: card }) => {
    tell(card);
    if (card.finding || card.task === "reject") {
      forget(card.id);
    } else if (views.has(card.id)) {
      views.get(card.id).update(card);
    } else {
      const view = new CardView(card, queue, actionsOf(card));
      views.set(card.id, view);
      const older = [...views.values()].filter((other) => other.card.number < card.number);
      const below = older.sort((a, b) => b.card.number - a.card.number)[0];
      open.insertBefore(view.element, below?.element ?? null);
    }
    showCounts();
  };
  const onGone = ({ detail: id }) => {
    forget(id);
    showCounts();
  };

  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0;
  const listeners = {
    dragenter: (event) => {
      if (!carriesFiles(event)) return;
      depth += 1;
      veil.hidden = false;
    },
    dragleave: (event) => {
      if (!carriesFiles(event)) return;
      depth = Math.max(0, depth - 1);
      veil.hidden = depth === 0;
    },
    dragover: (event) => carriesFiles(event) && event.preventDefault(),
    drop: (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      depth = 0;
      veil.hidden = true;
      add([...event.dataTransfer.files]);
    },
    paste: (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      // Office programs put a picture of the copied cells beside their text.
      const writing = event.target.closest?.("textarea, input[type=text]");
      if (!files.length || (writing && event.clipboardData.getData("text/plain"))) return;
      event.preventDefault();
      add(files);
    },
  };

  root.replaceChildren(
    h(
      "section",
      { class: "take", "aria-labelledby": "page-heading" },
      h(
        "div",
        {},
        h("h1", { id: "page-heading", tabindex: "-1" }, t("title")),
        h("p", { class: "soft" }, t("capture_lead")),
      ),
      h("div", { class: "take-bar" }, camera.element, album.element),
    ),
    ...(queue.durable ? [] : [h("p", { class: "note doubt" }, t("nothing_durable"))]),
    empty,
    openHeading,
    open,
    doneSection,
    selection,
    veil,
    more,
  );
  queue.addEventListener("change", onChange);
  queue.addEventListener("gone", onGone);
  // Another tab works on the cards: here they may be old.
  const onTurn = () => {
    shut(open, !queue.active);
  };
  queue.addEventListener("turn", onTurn);
  onTurn();
  for (const [event, listener] of Object.entries(listeners))
    document.addEventListener(event, listener);
  for (const card of queue.cards) onChange({ detail: card });
  showCounts();

  return () => {
    queue.removeEventListener("change", onChange);
    queue.removeEventListener("gone", onGone);
    queue.removeEventListener("turn", onTurn);
    for (const [event, listener] of Object.entries(listeners))
      document.removeEventListener(event, listener);
    delete root.dataset.cards;
    delete root.dataset.selecting;
  };
}
