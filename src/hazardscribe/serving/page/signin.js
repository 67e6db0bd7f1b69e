/** The access token is asked for once, and again when the server no longer knows it. */

import * as api from "./api.js";
import { button, h, labelled } from "./dom.js";
import { t } from "./words.js";

export function showSignIn(root, { signedIn }) {
  const complaint = h("p", { class: "complaint", id: "token-complaint", role: "alert" });
  const input = h("input", {
    type: "password",
    name: "token",
    autocomplete: "current-password",
    autocapitalize: "off",
    autocorrect: "off", // Safari's own; where the token is shown it would change what is typed
    spellcheck: "false",
    "aria-describedby": "token-complaint",
  });
  const complain = (words) => {
    complaint.textContent = words;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  };
  const reveal = h("input", {
    type: "checkbox",
    on: { change: () => (input.type = reveal.checked ? "text" : "password") },
  });
  const go = button("primary big", t("token_go"), () => {}, { type: "submit" });
  const submit = async (event) => {
    event.preventDefault();
    const token = input.value.trim();
    if (!token) return complain(t("token_empty"));
    if (!/^[\x21-\x7e]+$/.test(token)) return complain(t("token_wrong")); // no header could carry it
    go.disabled = true;
    try {
      const session = await api.session(token);
      api.keepToken(token); // and the name with it, before anything else is sent
      signedIn(session);
    } catch (error) {
      complain(error.status === 401 ? t("token_wrong") : error.message);
    } finally {
      go.disabled = false;
    }
  };
  root.replaceChildren(
    h(
      "form",
      { class: "panel signin", on: { submit } },
      h("h1", { tabindex: "-1" }, t("token_title")),
      h("p", { class: "soft" }, t("token_why")),
      labelled(t("token"), input),
      h("label", { class: "choice" }, reveal, h("span", {}, t("token_show"))),
      complaint,
      go,
    ),
  );
  input.focus();
}
