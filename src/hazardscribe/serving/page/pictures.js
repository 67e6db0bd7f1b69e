/** Photos of the ledger: fetched with the token, since an <img> cannot send one. */

import * as api from "./api.js";
import { h, icon } from "./dom.js";

const KEPT = 150; // small pictures; the oldest are let go
const urls = new Map();

/** Object URL of a stored photo; kept, so that going back and forth asks once. */
export function photoUrl(id, size) {
  const name = `${id} ${size}`;
  const known = urls.get(name);
  if (known) return known;
  const promise = api.photo(id, size).then((blob) => URL.createObjectURL(blob));
  promise.catch(() => urls.delete(name));
  urls.set(name, promise);
  if (urls.size > KEPT) {
    const [oldest, old] = urls.entries().next().value;
    urls.delete(oldest);
    old.then((url) => URL.revokeObjectURL(url)).catch(() => {});
  }
  return promise;
}

const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      entry.target.load();
    }
  },
  { rootMargin: "300px" },
);

/** A small picture that is fetched once it comes near the screen. */
export function thumbnail(id, words) {
  if (!id)
    return h("span", { class: "mini blank" }, icon("album"), h("span", { class: "unseen" }, words));
  const picture = h("img", { alt: words });
  const box = h("span", { class: "mini" }, picture);
  box.load = () =>
    photoUrl(id, "thumb").then(
      (url) => (picture.src = url),
      () => box.replaceChildren(icon("album")),
    );
  seen.observe(box);
  return box;
}
