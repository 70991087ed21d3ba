// One turn on the page: what the shopper said, and the answer as it grows. Parts are only ever added at the end.

import { cards } from "./cards.js";
import { el, icon } from "./dom.js";
import { answerFeedback } from "./feedback.js";
import { decimal, seconds } from "./format.js";
import { stockFacts } from "./stock.js";

const ROUTES = {
  recommendation: "Recommendation",
  inventory: "Stock",
  both: "Recommendation and stock",
  supervisor: "Conversation",
};
const DECIDERS = { gemini: "Gemini", local: "local router", rules: "rules", caller: "direct" };
const WAITING = {
  recommendation: "Looking through the range",
  inventory: "Checking the stores",
  both: "Looking through the range and the stores",
};

/** Makes a turn. `onAsk(text)` sends a further message. */
export class Turn {
  constructor(text, onAsk) {
    this.onAsk = onAsk;
    this.asked = text ?? "";
    this.said = "";
    this.items = [];
    this.inventory = null;
    this.route = null;
    this.words = document.createTextNode("");
    this.wait = el("p", { class: "wait" }, el("span", { class: "away" }, "Working on it"), el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), this.waitWord = el("span", {}, ""));
    this.answer = el("div", { class: "answer", "aria-busy": "true" }, this.wait);
    this.node = el("article", { class: "turn" },
      text === null ? null : el("div", { class: "asked" }, el("h2", { class: "away" }, "You"), el("p", {}, text)),
      el("h2", { class: "away" }, "Assistant"), this.answer);
  }

  /** Take in one event of the stream. */
  take(event) {
    if (event.type === "route") this.setRoute(event.route);
    else if (event.type === "items") this.setItems(event.items, event.recommendation_id);
    else if (event.type === "stock") this.inventory = event.inventory;
    else if (event.type === "token") this.addText(event.text);
  }

  setRoute(route) {
    this.route = route;
    this.waitWord.textContent = WAITING[route.route] ?? "";
  }

  setItems(items, recommendationId) {
    if (this.items.length || !items.length) return; // shown once, never again in another order
    this.items = items;
    this.place(cards(items, { recommendationId, asked: this.asked, onAsk: this.onAsk }));
  }

  addText(text) {
    if (!this.paragraph) {
      this.paragraph = el("p", { class: "words" }, this.words);
      this.place(this.paragraph);
      this.wait.remove();
    }
    // No blank first line: an answer that follows its cards begins with a gap.
    this.words.appendData(this.said ? text : text.trimStart());
    this.said += this.said ? text : text.trimStart();
  }

  /** Close an answered turn. `reply`: the done event's, or a message of the history. */
  finish(reply) {
    if (!this.items.length && reply.items?.length) this.setItems(reply.items, reply.recommendation_id);
    if (!this.said && reply.text) this.addText(reply.text);
    this.inventory = reply.inventory ?? this.inventory;
    this.route = reply.route ?? this.route;
    this.settle();
    this.append(stockFacts(this.inventory, this.onAsk));
    this.append(options(reply.options ?? [], this.onAsk));
    if (reply.degraded) {
      this.append(el("p", { class: "degraded" }, "A part of the assistant is not available, so this answer is simpler than usual."));
    }
    if (!reply.trace_id) return;
    const feedback = answerFeedback({ traceId: reply.trace_id, items: this.items, stock: this.inventory?.stock });
    this.append(el("div", { class: "after" }, feedback.row, how(this.route, reply)));
    this.append(feedback.form);
  }

  /** Close a turn that failed; `onRetry` sends the message again. */
  fail(sentence, onRetry) {
    this.settle();
    this.append(el("div", { class: "trouble", role: "alert" }, el("p", {}, sentence), again(onRetry, "Try again")));
  }

  /** Close a turn that the shopper stopped. */
  stop(onRetry) {
    this.settle();
    this.append(el("div", { class: "trouble calm" }, el("p", {}, "Stopped."), again(onRetry, "Ask again")));
  }

  settle() {
    this.wait.remove();
    this.answer.setAttribute("aria-busy", "false");
  }

  /** Put a part before the waiting line, which stays last. */
  place(part) {
    if (this.wait.isConnected || this.wait.parentNode === this.answer) this.answer.insertBefore(part, this.wait);
    else this.answer.append(part);
  }

  append(part) {
    if (part) this.answer.append(part);
  }

  /** The whole answer in words, for a screen reader. */
  aloud() {
    const names = this.items.map((item) => item.name).join(", ");
    return [this.said, names ? `Shown: ${names}.` : ""].filter(Boolean).join(" ");
  }
}

function again(onRetry, text) {
  return el("button", { type: "button", class: "quiet again", onclick: onRetry },
    icon("M15.500 8A6 6 0 1 0 16 11.500M15.800 4v4.200h-4.200"), text);
}

function options(all, onAsk) {
  if (!all.length) return null;
  return el("ul", { class: "options", "aria-label": "Choose one" }, all.map((option) =>
    el("li", {}, el("button", { type: "button", class: "option", onclick: () => onAsk(option) }, option))));
}

/** The quiet line: which way the message went, who decided, how fast the local model wrote, how long it took. */
function how(route, reply) {
  const parts = [];
  if (route) {
    const sure = route.decided_by === "local" ? `, ${Math.round(route.confidence * 100)} % sure` : "";
    parts.push(el("span", { class: "chip route", "data-route": route.route, "data-by": route.decided_by, title: (route.reason || "") + sure },
      ROUTES[route.route] ?? route.route, el("span", { class: "soft" }, ` by ${DECIDERS[route.decided_by] ?? route.decided_by}`)));
  }
  const speed = reply.usage?.tokens_per_second;
  if (speed) parts.push(el("span", { class: "chip speed", title: reply.model?.name ?? "" }, `${Math.round(speed)} tokens/s`));
  const total = reply.timings_ms?.total;
  if (total) parts.push(el("span", { class: "chip time" }, seconds(total)));
  return parts.length ? el("p", { class: "how" }, parts) : null;
}
