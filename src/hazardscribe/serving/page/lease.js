/**
 * One tab at a time works on the queue: the one opened last. Web Locks would do it, but are not
 * there on plain HTTP.
 */

const NAME = "hazardscribe.worker";
const me = Math.random().toString(36).slice(2);

/** Claims the queue for this tab; `lost` and `won` are called when another takes it or leaves. */
export function lease({ won, lost }) {
  const claim = () => {
    try {
      localStorage.setItem(NAME, me);
    } catch {
      // no storage shared with other tabs, so no queue shared either
    }
    won();
  };
  window.addEventListener("storage", (event) => {
    if (event.key !== NAME) return;
    // As it is now: after a reload, word of the page before may come once this one has claimed.
    const owner = localStorage.getItem(NAME);
    if (owner === null) claim();
    else if (owner !== me) lost();
  });
  window.addEventListener("pagehide", () => {
    try {
      if (localStorage.getItem(NAME) === me) localStorage.removeItem(NAME);
    } catch {
      // as above
    }
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) claim();
  });
  claim();
  return claim;
}
