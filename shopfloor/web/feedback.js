// What a shopper says of an answer: stars, what became of a product, and a correction.

import { findProducts, sendFeedback } from "./api.js";
import { el, icon, randomId } from "./dom.js";
import { mark, setMark, userId } from "./memory.js";
import { correctionForm } from "./correction.js";

const STAR = "M10 2.200l2.400 4.900 5.400.800-3.900 3.800.900 5.400L10 14.500l-4.800 2.600.900-5.400-3.900-3.800 5.400-.800Z";
const WORDS = ["poor", "fair", "good", "very good", "excellent"];

/** Store a reaction. The key makes a repeated request the same reaction. */
export function react(reaction) {
  return sendFeedback({ user_id: userId(), idempotency_key: randomId(), ...reaction });
}

/** The row under an answer: stars and "Correct this". `answer`: `{ traceId, items, stock }`. */
export function answerFeedback(answer) {
  const note = el("p", { class: "noted", role: "status" });
  const form = correctionForm(answer, { find: findProducts, send: react });
  const open = el("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: () => {
    const show = form.node.hidden;
    form.node.hidden = !show;
    open.setAttribute("aria-expanded", String(show));
    if (show) form.focus();
  } }, "Correct this");
  form.onClose = () => {
    form.node.hidden = true;
    open.setAttribute("aria-expanded", "false");
    open.focus();
  };
  return { row: el("div", { class: "react" }, stars(answer.traceId, note), open, note), form: form.node };
}

function stars(traceId, note) {
  const name = `stars-${traceId}`;
  const box = el("fieldset", { class: "stars" }, el("legend", { class: "away" }, "Rate this answer"));
  const show = (count) => box.setAttribute("data-stars", String(count));
  for (let count = 1; count <= 5; count += 1) {
    const input = el("input", { type: "radio", name, value: count, id: `${name}-${count}`, class: "away", onchange: () => rate(count) });
    const said = `${count} ${count === 1 ? "star" : "stars"}, ${WORDS[count - 1]}`;
    box.append(input, el("label", { for: input.id, title: said }, icon(STAR), el("span", { class: "away" }, said)));
  }
  const before = mark(traceId) ?? 0;
  show(before);
  if (before) box.querySelector(`[value="${before}"]`).checked = true;

  async function rate(count) {
    const earlier = mark(traceId) ?? 0;
    show(count);
    setMark(traceId, count);
    note.textContent = "";
    try {
      await react({ trace_id: traceId, rating: count });
      note.textContent = "Thank you, noted.";
    } catch (trouble) {
      show(earlier);
      setMark(traceId, earlier || null);
      for (const input of box.querySelectorAll("input")) input.checked = Number(input.value) === earlier;
      note.textContent = trouble.message;
    }
  }
  return box;
}

/** The row under a card. `about`: `{ recommendationId, onAsk }`. */
export function cardActions(item, about) {
  const key = `${about.recommendationId}/${item.sku}`;
  const note = el("span", { class: "away", role: "status" });
  const buttons = [
    ["purchased", "Bought it", `I bought ${item.name}`],
    ["ignored", "Not for me", `${item.name} is not for me`],
  ].map(([action, text, said]) => el("button", { type: "button", class: "quiet", "aria-pressed": "false", "aria-label": said,
    "data-action": action, onclick: () => say(action) }, text));
  const show = (action) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.action === action));
  };
  show(mark(key));

  async function say(action) {
    const earlier = mark(key);
    show(action);
    setMark(key, action);
    try {
      await react({ recommendation_id: about.recommendationId, product_id: item.sku, action });
      note.textContent = "Thank you, noted.";
    } catch (trouble) {
      show(earlier);
      setMark(key, earlier);
      note.textContent = trouble.message;
      note.classList.remove("away");
    }
  }

  const where = el("button", { type: "button", class: "quiet", "aria-label": `Which stores have ${item.name}?`, onclick: () => {
    if (mark(key) === null) {
      // A click is a hint, not an answer: when it can't be stored the shopper need not know.
      react({ recommendation_id: about.recommendationId, product_id: item.sku, action: "clicked" }).catch(() => {});
    }
    about.onAsk(`Which stores have the ${item.name}?`);
  } }, "Stores");
  return el("div", { class: "card-acts" }, where, buttons, note);
}
