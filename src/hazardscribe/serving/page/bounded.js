/**
 * How long a text may be. The browser's own limit would cut off what is pasted without a word: here
 * nothing is cut, the person sees how much is too much, and it is not sent before it fits.
 */

import { freshId, h } from "./dom.js";
import { t } from "./words.js";

/** As the server counts: characters, not halves of them, without the space around. */
const length = (text) => [...text.trim()].length;

/**
 * Watches a control of the box for more than `most` characters. `show()` after its value was set,
 * `fits` whether it can be sent, `complain(words)` for anything else that is wrong with it.
 */
export function bounded(box, control, most) {
  const note = h("p", { class: "count", id: freshId("count") });
  const state = {
    complaint: null,
    get fits() {
      return control.value.length <= most || length(control.value) <= most;
    },
    show() {
      // Most texts are short: then nothing is counted, and nothing said.
      const n = control.value.length > 0.9 * most ? length(control.value) : 0;
      const over = Math.max(0, n - most);
      let words = n > 0.9 * most ? t("count", { n, most }) : "";
      if (over) words = t("too_long", { n, most, over });
      if (state.complaint) words = state.complaint;
      if (note.textContent !== words) note.textContent = words;
      const wrong = Boolean(over || state.complaint);
      note.classList.toggle("complaint", wrong);
      note.setAttribute("aria-live", wrong ? "polite" : "off"); // a count is not read at every sign
      if (wrong) control.setAttribute("aria-invalid", "true");
      else control.removeAttribute("aria-invalid");
    },
    complain(words) {
      state.complaint = words;
      state.show();
    },
    /** Brings the person to it, also where it is folded away. */
    focus() {
      const folded = control.closest("details");
      if (folded) folded.open = true;
      control.focus({ preventScroll: true });
      note.scrollIntoView({ block: "center" });
    },
  };
  control.setAttribute("aria-describedby", note.id);
  control.addEventListener("input", () => state.complain(null));
  box.append(note);
  state.show();
  return state;
}

/** The first of these that is too long; the person is brought to it. */
export function tooLong(...all) {
  const first = all.find((one) => !one.fits);
  first?.focus();
  return first;
}
