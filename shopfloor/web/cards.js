// Product cards. They are made once, in the order they came in, and never move.

import { colourNames, colourOf } from "./colours.js";
import { el, icon } from "./dom.js";
import { cardActions } from "./feedback.js";
import { decimal, money, whole, wordsOf } from "./format.js";
import { kindOf, picture } from "./pictures.js";

const FEW = 3;
const SIZES_SHOWN = 6;
const SWATCHES_SHOWN = 6;

/** The list of cards. `about`: `{ recommendationId, asked, onAsk }`; a colour that was asked for colours the drawing. */
export function cards(items, about) {
  return el("ol", { class: "cards", "data-count": items.length, "aria-label": "Suggested products" },
    items.map((item) => card(item, about)));
}

function card(item, about) {
  const names = colourNames(item.colour);
  const known = names.map((name) => [name, colourOf(name)]).filter(([, colour]) => colour);
  const wished = new Set(wordsOf(about.asked));
  const shown = known.find(([name]) => wordsOf(name).some((word) => wished.has(word))) ?? known[0];
  const title = el("h3", {}, item.name);
  return el("li", { class: "card", "data-sku": item.sku },
    el("div", { class: "pic" }, picture(kindOf(item.category, item.name), shown ? shown[1] : null)),
    el("div", { class: "card-text" },
      el("div", { class: "card-head" }, title, el("p", { class: "price" }, money(item.price, item.currency))),
      el("div", { class: "state" }, stockBadge(item), rating(item)),
      item.reason ? el("p", { class: "why" }, item.reason) : null,
      el("div", { class: "facts" }, swatches(names), sizes(item.sizes ?? []))),
    cardActions(item, about));
}

function stockBadge(item) {
  const total = item.stock_total ?? 0;
  if (!item.in_stock) return el("p", { class: "badge out" }, "Out of stock");
  if (total > 0 && total <= FEW) return el("p", { class: "badge low" }, `Only ${whole(total)} left`);
  return el("p", { class: "badge in" }, "In stock");
}

function swatches(names) {
  if (!names.length) return null;
  const dots = names.slice(0, SWATCHES_SHOWN).map((name) => {
    const colour = colourOf(name);
    if (!colour) return el("span", { class: "colour-word" }, name);
    const dot = el("span", { class: "swatch", role: "img", "aria-label": name, title: name });
    dot.style.setProperty("background-color", colour);
    return dot;
  });
  const more = names.length - SWATCHES_SHOWN;
  const word = names.length === 1 && colourOf(names[0]) ? el("span", { class: "colour-word", "aria-hidden": "true" }, names[0]) : null;
  return el("p", { class: "colours" }, el("span", { class: "away" }, names.length === 1 ? "Colour: " : "Colours: "), dots, word,
    more > 0 ? el("span", { class: "colour-word" }, `+${more}`) : null);
}

function sizes(all) {
  if (!all.length) return null;
  const shown = all.length > SIZES_SHOWN ? [...all.slice(0, SIZES_SHOWN - 1), `+${all.length - SIZES_SHOWN + 1}`] : all;
  return el("p", { class: "sizes" }, el("span", { class: "away" }, "Sizes: "), shown.map((size) => el("span", {}, size)));
}

function rating(item) {
  if (!item.rating_count || item.rating_mean === null) return null;
  const said = `Rated ${decimal(item.rating_mean)} by ${whole(item.rating_count)} ${item.rating_count === 1 ? "customer" : "customers"}`;
  return el("p", { class: "rated" }, el("span", { class: "away" }, said),
    el("span", { "aria-hidden": "true", title: said }, icon("M10 2.800l2.200 4.600 5 .700-3.600 3.500.900 5-4.500-2.400-4.500 2.400.900-5L2.800 8.100l5-.700Z"),
      ` ${decimal(item.rating_mean)}`, el("span", { class: "soft" }, ` (${whole(item.rating_count)})`)));
}
