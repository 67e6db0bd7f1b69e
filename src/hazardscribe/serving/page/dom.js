/** Making elements, and telling people what happened without moving them. */

const SVG = "http://www.w3.org/2000/svg";

/** Strokes of the icons, in a 24 x 24 box. */
const ICONS = {
  camera: "M4 8h3l2-3h6l2 3h3v11H4zM12 17a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7z",
  album: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  ledger: "M5 4h14v16H5zM9 9h6M9 13h6M9 17h3",
  chart: "M4 20h16M7 20v-7M12 20V6M17 20v-10",
  check: "M5 12.5l4.5 4.5L19 7.5",
  bin: "M5 7h14M10 4h4M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  plus: "M12 5v14M5 12h14",
  join: "M8 8h8v8H8zM4 12h4M16 12h4M12 4v4M12 16v4",
  again: "M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L20 20",
  filter: "M4 6h16M7 12h10M10 18h4",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
  back: "M14 6l-6 6 6 6",
  close: "M6 6l12 12M18 6L6 18",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM5 20c1-4 4-5 7-5s6 1 7 5",
};

/**
 * An element. `on` holds listeners; keys with a property of that name are set as property, others
 * as attribute; null, undefined and false children and attributes are left out.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value))
        element.addEventListener(event, listener);
    } else if (name === "class") {
      element.className = value;
    } else if (["value", "checked", "disabled", "hidden", "selected", "multiple"].includes(name)) {
      element[name] = value;
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child || child === 0));
  return element;
}

/** An icon; it says nothing to a screen reader, the words beside it do. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button: `kind` is one of primary, quiet, danger, chip. */
export function button(kind, label, onClick, { symbol, ...attributes } = {}) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`, on: { click: onClick }, ...attributes },
    symbol && icon(symbol),
    h("span", {}, label),
  );
}

/** Say something to people who listen instead of looking. */
export function announce(words) {
  const line = h("p", {}, words);
  document.getElementById("announce").append(line);
  setTimeout(() => line.remove(), 8000);
}

/**
 * Show a short message that goes away by itself, or at a tap, which must not press what lies below
 * it; `kind` is good or bad. The newest of a kind stays.
 */
export function toast(words, kind = "good") {
  for (const older of document.querySelectorAll(`.toast.${kind}`)) older.remove();
  const line = h("p", { class: `toast ${kind}`, on: { click: () => line.remove() } }, words);
  document.getElementById("toasts").append(line);
  setTimeout(() => line.remove(), kind === "bad" ? 10000 : 5000);
}

const noFocus = ({ currentTarget, target }) => currentTarget.inert && target.blur();

/** Keeps people out of an element, or lets them in again. Browsers before 2022 need help with it. */
export function shut(element, on) {
  element.inert = on;
  if ("inert" in HTMLElement.prototype) return;
  element.classList.toggle("shut", on); // lets no pointer in
  element.addEventListener("focusin", noFocus);
  if (on && element.contains(document.activeElement)) document.activeElement.blur();
}

let made = 0;

/** An id that no other element of this page has. */
export function freshId(prefix) {
  made += 1;
  return `${prefix}-${made}`;
}

/** A label above its control. */
export function labelled(words, control, className = "field") {
  control.id ||= freshId("field");
  return h("div", { class: className }, h("label", { for: control.id }, words), control);
}

/**
 * Lets a text area be as high as its text, where the browser does not do so by itself. Call what it
 * gives whenever the text was set.
 */
export function growing(area) {
  if (CSS.supports("field-sizing", "content")) return () => {};
  const grow = () => {
    if (!area.scrollHeight) return; // not shown yet
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + area.offsetHeight - area.clientHeight}px`;
  };
  let width = 0;
  const sized = new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === width) return;
    width = contentRect.width; // put on the page, unfolded, or the phone was turned
    requestAnimationFrame(grow);
  });
  sized.observe(area);
  area.addEventListener("input", grow);
  return grow;
}

/** Call `action` once things have been quiet for `wait` milliseconds. */
export function calm(action, wait) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), wait);
  };
}
