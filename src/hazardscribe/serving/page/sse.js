/** Server-sent events read from a fetch: EventSource can neither POST nor send a token. */

/** The JSON objects of an event stream's `data:` lines. `touch` is called whenever bytes come. */
export async function* readEvents(body, touch = () => {}) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      touch();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      // A "\r" at the very end may be the first half of "\r\n": it waits for what follows.
      const lines = rest.split(done ? /\r\n|\n|\r/ : /\r\n|\n|\r(?!$)/);
      rest = done ? "" : lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        } else if (line === "" && data.length) {
          const whole = data.join("\n");
          data = [];
          yield JSON.parse(whole);
        }
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {}); // whoever left the loop wants no more of it
  }
}
