// Talking to the service: JSON calls, the streamed turn, and errors as sentences.

/** Something went wrong; `message` is a sentence for the shopper. */
export class Trouble extends Error {
  constructor(message, { code = "", status = 0, matches = [] } = {}) {
    super(message);
    this.code = code;
    this.status = status;
    this.matches = matches;
  }
}

const OFFLINE = "You are offline. Your message is kept; try again when the connection is back.";
const UNREACHABLE = "The shop can't be reached just now. Please try again in a moment.";

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(navigator.onLine ? UNREACHABLE : OFFLINE, { code: "unreachable" });
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    problem = {}; // a proxy's own page, say
  }
  const sentence = typeof problem.detail === "string" && problem.detail ? problem.detail : `That did not work (${response.status}).`;
  return new Trouble(sentence, { code: problem.code, status: response.status, matches: problem.matches ?? [] });
}

const json = (body) => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

export async function getShop() {
  return (await call("/api/shop")).json();
}

export async function getHistory(threadId, userId) {
  const path = `/api/threads/${encodeURIComponent(threadId)}?user_id=${encodeURIComponent(userId)}`;
  return (await call(path)).json();
}

export async function findProducts(text, signal) {
  return (await call(`/api/products?q=${encodeURIComponent(text)}`, { signal })).json();
}

export async function sendFeedback(feedback) {
  return (await call("/feedback", { ...json(feedback), keepalive: true })).json();
}

/** One turn's events, as they come. Ends early only by an error: a turn's last event is `done` or `error`. */
export async function* streamTurn(message, signal) {
  const response = await call("/api/chat", { ...json(message), signal });
  let closed = false;
  try {
    for await (const data of serverEvents(response.body)) {
      const event = JSON.parse(data);
      yield event;
      if (event.type === "done" || event.type === "error") closed = true;
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Trouble) throw error;
    throw new Trouble(navigator.onLine ? UNREACHABLE : OFFLINE, { code: "unreachable" });
  }
  if (!closed) throw new Trouble("The answer broke off. Please ask again.", { code: "broken" });
}

/** The data of each server-sent event of a byte stream. Comments (the server's pings) are skipped. */
export async function* serverEvents(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  let data = [];
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      waiting += value;
      // A line may end in \r\n, \n or \r; a \r at the very end may still get its \n.
      const lines = waiting.split(/\r\n|\n|\r(?!$)/);
      waiting = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (data.length) yield data.join("\n");
          data = [];
        } else if (line.startsWith("data:")) {
          data.push(line.slice(line[5] === " " ? 6 : 5));
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
