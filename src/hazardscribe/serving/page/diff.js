/** What a person changed in a text: longest common subsequence over characters and words. */

import { h } from "./dom.js";
import { t } from "./words.js";

// Latin words and numbers hold together; Chinese is compared by character.
const TOKENS = /[\p{Script=Latin}\p{N}]+|\s+|./gsu;

/** Parts of both texts in order: {kind: "same" | "gone" | "new", text}. */
export function differences(before, after) {
  const a = before.match(TOKENS) ?? [];
  const b = after.match(TOKENS) ?? [];
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width); // length of the rest that both share
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1] + 1
          : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  const parts = [];
  const push = (kind, text) => {
    const last = parts[parts.length - 1];
    if (last?.kind === kind) last.text += text;
    else parts.push({ kind, text });
  };
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      push("same", a[i]);
      i += 1;
      j += 1;
    } else if (
      j === b.length ||
      (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1])
    ) {
      push("gone", a[i]);
      i += 1;
    } else {
      push("new", b[j]);
      j += 1;
    }
  }
  return parts;
}

const marks = { gone: ["del", "gone_mark"], new: ["ins", "new_mark"] };

function marked(parts, kind) {
  const [tag, words] = marks[kind];
  return h(
    "p",
    {},
    ...parts
      .filter((part) => part.kind === "same" || part.kind === kind)
      .map((part) =>
        part.kind === "same"
          ? part.text
          : h(tag, {}, h("span", { class: "unseen" }, t("aside", { words: t(words) })), part.text),
      ),
  );
}

/** Two paragraphs: the first with what went marked, the second with what came. */
export function markedPair(before, after) {
  const parts = differences(before, after);
  return [marked(parts, "gone"), marked(parts, "new")];
}
