/** Where the page starts: who asks, which view, which language, and the queue behind all views. */

import * as api from "./api.js";
import { showCapture } from "./capture.js";
import { showDashboard } from "./dashboard.js";
import { ask } from "./dialog.js";
import { button, h, icon, toast } from "./dom.js";
import { offer, offerRecent } from "./fields.js";
import { showFinding } from "./finding.js";
import { openKeep } from "./keep.js";
import { lease } from "./lease.js";
import { showLedger } from "./ledger.js";
import { memory } from "./memory.js";
import { Queue } from "./queue.js";
import { Shelf } from "./shelf.js";
import { showSignIn } from "./signin.js";
import { language, named, setLanguage, t } from "./words.js";

const VIEWS = { capture: showCapture, ledger: showLedger, dashboard: showDashboard };
const ICONS = { capture: "camera", ledger: "ledger", dashboard: "chart" };

const main = document.getElementById("main");
const bar = document.getElementById("bar");
const notice = document.getElementById("notice");

/** What all views share. The session of the last visit serves until the server answers. */
const shared = { session: memory.getJson("session"), queue: null, list: null, signedIn };
let leave = null;
let signingIn = false;
let ours = true; // whether this tab works on the queue

/** `#/ledger/ID?status=open` as {view, id, query}. */
function route() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, id] = path.split("/");
  return {
    view: Object.keys(VIEWS).includes(view) ? view : "capture",
    id: id || null, // hexadecimal; whatever else stands there the server does not know
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

function accountMenu() {
  const { session } = shared;
  const facts = [
    [t("model"), session.model],
    [t("version"), session.version],
  ];
  return h(
    "details",
    { class: "account" },
    h("summary", { "aria-label": t("account") }, icon("person")),
    h(
      "div",
      { class: "menu" },
      h("p", { class: "strong" }, session.name),
      h("p", { class: "soft" }, named("role", session.role)),
      h("dl", {}, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      api.hasToken() && button("plain", t("sign_out"), signOut),
    ),
  );
}

function showBar(current) {
  const link = (view) =>
    h(
      "a",
      { href: `#/${view}`, "aria-current": view === current ? "page" : null },
      icon(ICONS[view]),
      h("span", {}, t(view)),
    );
  const known = shared.session && !signingIn;
  bar.replaceChildren(
    h(
      "span",
      { class: "brand" },
      h("img", { src: "/page/icon.svg", alt: "", width: "28", height: "28" }),
      h("span", {}, t("title")),
    ),
    known
      ? h("nav", { "aria-label": t("sections") }, ...Object.keys(VIEWS).map(link))
      : h("span", { class: "spring" }),
    button("bare", t("language"), switchLanguage, {
      "aria-label": t("language_help"),
      lang: language() === "en" ? "zh-CN" : "en",
    }),
    ...(known ? [accountMenu()] : []),
  );
  document.getElementById("skip").textContent = t("skip");
}

function showNotice() {
  const lines = [];
  if (!ours) {
    lines.push(
      h(
        "div",
        { class: "banner" },
        h("p", {}, t("elsewhere")),
        button("plain", t("elsewhere_take"), () => claim()),
      ),
    );
  } else if (shared.queue.offline) {
    lines.push(
      h(
        "div",
        { class: "banner" },
        h("p", {}, t("offline_bar")),
        button("plain", t("retry_now"), () => shared.queue.hurry()),
      ),
    );
  }
  if (
    notice.childElementCount !== lines.length ||
    notice.textContent !== lines.map((line) => line.textContent).join("")
  ) {
    notice.replaceChildren(...lines);
  }
}

/** Show the view that the address names; `arrive` moves focus to its heading. */
function show(arrive = true) {
  leave?.();
  leave = null;
  const { view, id, query } = route();
  showBar(view);
  document.title = `${signingIn ? t("token_title") : t(view)} · hazardscribe`;
  if (signingIn) {
    showSignIn(main, shared);
    return;
  }
  main.dataset.view = view === "ledger" && id ? "finding" : view;
  if (!shared.session) return;
  leave =
    view === "ledger" && id ? showFinding(main, shared, id) : VIEWS[view](main, shared, query);
  if (arrive) {
    window.scrollTo(0, 0);
    main.querySelector("h1")?.focus({ preventScroll: true });
  }
}

function switchLanguage() {
  setLanguage(language() === "en" ? "zh" : "en");
  show(false);
  showNotice();
  bar.querySelector("button.bare").focus();
}

function took(session) {
  shared.session = session;
  memory.set("session", JSON.stringify(session));
  shared.queue.limits = session.limits;
  shared.queue.who = session.name;
  shared.queue.language = session.language;
  offer("categories", session.categories);
}

/** Somebody else is at this device now: this page does not go on under the name of before. */
function changedHands() {
  if (!api.changedHands()) return false;
  shared.queue.stop();
  location.reload();
  return true;
}

function signedIn(session) {
  signingIn = false;
  took(session);
  show();
  if (claim) shared.queue.hurry();
  else work();
}

async function signOut() {
  const sure = await ask({
    title: t("sign_out"),
    words: t("sign_out_ask", { n: shared.queue.unconfirmed }),
    yes: t("sign_out"),
  });
  if (!sure) return;
  if (ours) await shared.queue.clearDone(); // whoever comes next does not read them
  shared.queue.stop();
  memory.remove("token");
  memory.remove("session");
  location.assign("/");
}

let claim = null;

async function start() {
  setLanguage(language());
  const queue = new Queue(new Shelf(await openKeep()));
  shared.queue = queue;
  queue.addEventListener("change", showNotice);
  queue.addEventListener("gone", showNotice);
  queue.addEventListener("change", ({ detail }) => detail.task === "confirm" && offerRecent());
  queue.addEventListener("alarm", ({ detail }) => toast(t(detail), "bad"));

  window.addEventListener("hashchange", () => show());
  window.addEventListener("unauthorised", () => {
    if (signingIn) return;
    signingIn = true;
    show();
  });
  window.addEventListener("online", () => queue.hurry());
  window.addEventListener("storage", changedHands);
  window.addEventListener("pageshow", changedHands);
  window.addEventListener("pagehide", () => queue.flush());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") queue.flush();
    else queue.hurry();
  });
  document.getElementById("skip").addEventListener("click", () => main.focus());
  // Not a click: Safari on a phone sends none from where there is nothing to tap.
  document.addEventListener("pointerdown", (event) => {
    for (const menu of document.querySelectorAll("details.account[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.account[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  offerRecent();
  if (shared.session) {
    // What was known last time will do until the server answers, if it does.
    took(shared.session);
    show(false);
    work();
  } else {
    showBar("capture");
    main.replaceChildren(h("p", { class: "soft" }, t("loading")));
  }
  try {
    const known = shared.session;
    const session = await api.session();
    if (changedHands()) return;
    took(session);
    if (!known) {
      show(false);
      work();
    } else if (!signingIn) {
      showBar(route().view);
    }
  } catch (error) {
    if (error.status !== 401 && !shared.session) {
      const again = button("primary", t("try_again"), () => location.reload());
      main.replaceChildren(
        h("div", { class: "panel" }, h("h1", {}, t("title")), h("p", {}, error.message), again),
      );
    }
  }
}

/** This tab works on the queue until another one is opened. */
function work() {
  const { queue } = shared;
  claim = lease({
    won: () => {
      if (changedHands()) return;
      ours = true;
      queue.start().then(showNotice);
    },
    lost: () => {
      ours = false;
      queue.stop();
      showNotice();
    },
  });
}

start();
// There on HTTPS only: the page then opens without a network too.
navigator.serviceWorker?.register("/page/sw.js", { scope: "/" }).catch(() => {});
