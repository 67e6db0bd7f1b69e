/** Questions that want an answer first, and photos seen large. */

import { button, freshId, h, icon } from "./dom.js";
import { t } from "./words.js";

function opened(dialog) {
  const before = document.activeElement;
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  dialog.showModal();
}

/** Ask; resolves to true only when the person chooses `yes`. */
export function ask({ title, words, yes, danger = false }) {
  return new Promise((resolve) => {
    let answer = false;
    const heading = freshId("ask");
    const close = (value) => {
      answer = value;
      dialog.close();
    };
    const dialog = h(
      "dialog",
      { class: "ask", "aria-labelledby": heading, "aria-describedby": `${heading}-words` },
      h("h2", { id: heading }, title),
      h("p", { id: `${heading}-words` }, words),
      h(
        "div",
        { class: "row end" },
        button("quiet", t("cancel"), () => close(false), { autofocus: true }),
        button(danger ? "danger" : "primary", yes, () => close(true)),
      ),
    );
    dialog.addEventListener("close", () => resolve(answer));
    opened(dialog);
  });
}

/** Photos at full size: `photos` are {name, url()} with `url` giving a promise. */
function showPhotos(photos, start = 0, closed = () => {}) {
  let at = start;
  const picture = h("img", { alt: "" });
  const caption = h("p", { class: "caption", "aria-live": "polite" });
  const show = async () => {
    const { name, url } = photos[at];
    caption.textContent = name;
    picture.alt = name;
    const source = await url();
    if (photos[at].url === url) picture.src = source ?? "";
  };
  const step = (by) => {
    at = (at + by + photos.length) % photos.length;
    show();
  };
  const several = photos.length > 1;
  const dialog = h(
    "dialog",
    { class: "viewer", "aria-label": photos[at].name },
    picture,
    h(
      "div",
      { class: "row" },
      several && button("dark", t("previous"), () => step(-1)),
      caption,
      several && button("dark", t("next"), () => step(1)),
      h(
        "button",
        {
          type: "button",
          class: "button dark",
          "aria-label": t("close"),
          on: { click: () => dialog.close() },
        },
        icon("close"),
      ),
    ),
  );
  dialog.addEventListener("close", closed);
  dialog.addEventListener("keydown", (event) => {
    if (several && event.key === "ArrowLeft") step(-1);
    if (several && event.key === "ArrowRight") step(1);
  });
  show();
  opened(dialog);
}

/** In place of a photo that cannot be shown. */
export const noPicture = () => h("span", { class: "blank" }, icon("album"));

/** A small picture of one of the photos, which shows them at full size; null where there is none. */
export function photoButton(photos, i, picture, closed) {
  return h(
    "button",
    {
      type: "button",
      class: "shot",
      "aria-label": t("enlarge", { name: photos[i].name }),
      on: { click: () => showPhotos(photos, i, closed) },
    },
    picture ?? noPicture(),
  );
}
