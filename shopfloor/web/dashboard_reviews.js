// What shoppers say went to the wrong place, for the owner to accept or refuse.

import { el } from "./dom.js";

const ROUTES = { recommendation: "recommendations", inventory: "stock", both: "both agents", supervisor: "a person or small talk" };
const name = (route) => ROUTES[route] ?? route ?? "nobody";

/** The list; `decide(correction, verdict)` is called by its buttons. */
export function corrections(found, moment, decide) {
  const more = found.waiting - found.shown.length;
  return [
    el("p", { class: "soft" }, "Accept what is right: it is learned from, or kept to judge by. What you refuse is never used."),
    el("ul", { class: "reviews" }, found.shown.map((one) => entry(one, moment, decide))),
    more > 0 ? el("p", { class: "soft" }, `${more} more ${more === 1 ? "waits" : "wait"}; at most two of one person are shown at once.`) : null,
  ].filter(Boolean);
}

function entry(one, moment, decide) {
  const buttons = ["accepted", "refused"].map((verdict) =>
    el("button", { class: "quiet", type: "button", onclick: async () => {
      buttons.forEach((button) => (button.disabled = true));
      if (!(await decide(one, verdict))) buttons.forEach((button) => (button.disabled = false));
    } }, verdict === "accepted" ? "Accept" : "Refuse"));
  const about = [
    one.users > 1 ? `${one.users} people say so` : null,
    one.confidence === null ? null : `the assistant was ${Math.round(100 * one.confidence)} % sure`,
  ].filter(Boolean).join(", ");
  return el("li", { "data-id": one.feedback_id },
    el("div", {},
      el("blockquote", {}, one.text),
      el("p", { class: "way" }, "went to ", el("span", { class: "tag" }, name(one.decided)), " should be ", el("span", { class: "tag good" }, name(one.says))),
      el("p", { class: "soft" }, el("time", { datetime: one.at }, moment.format(new Date(one.at))), about ? `, ${about}` : null)),
    el("div", { class: "buttons" }, buttons));
}
