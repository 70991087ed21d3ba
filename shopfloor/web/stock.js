// A stock answer's facts: the product, its stores with what they have, and what else there is when there is none.

import { el } from "./dom.js";
import { distance, money, units, whole } from "./format.js";
import { kindOf, picture } from "./pictures.js";

const ROWS_SHOWN = 6;

/** The facts under a stock answer; null where the answer is words alone. `onAsk(text)` asks on. */
export function stockFacts(inventory, onAsk) {
  const stock = inventory?.stock;
  if (!stock) return null;
  const rows = stock.stores ?? [];
  const others = alternatives(stock.alternatives ?? [], onAsk);
  if (!rows.length && !others) return null;
  return el("section", { class: "stock", "aria-label": `Stock of ${stock.product.name}` },
    head(stock), rows.length ? table(rows, stock.product.name) : null, others);
}

function head(stock) {
  const { status, days_of_cover: days } = stock.analysis ?? {};
  const kind = status === "out" || !stock.available ? "out" : status === "low" ? "low" : "in";
  const said = kind === "out" ? "Out of stock here" : `${units(stock.total_quantity)}${kind === "low" ? ", running low" : ""}`;
  const lasts = kind !== "out" && days ? `enough for ${span(days)}` : null;
  return el("div", { class: "stock-head" },
    picture(kindOf(null, stock.product.name), null),
    el("div", {}, el("h3", {}, stock.product.name), el("p", { class: "soft" }, money(stock.product.price, stock.product.currency))),
    el("div", { class: "stock-sum" }, el("p", { class: `badge ${kind}` }, said), lasts ? el("p", { class: "soft" }, lasts) : null));
}

/** How long a stock lasts, no more exactly than anybody knows it. */
function span(days) {
  const count = Math.max(1, Math.round(days));
  if (count > 365) return "over a year";
  if (count > 60) return `about ${whole(Math.round(count / 30))} months`;
  return count === 1 ? "about a day" : `about ${whole(count)} days`;
}

function table(rows, name) {
  const far = rows.some((row) => row.distance_km !== null && row.distance_km !== undefined);
  const few = rows.length <= ROWS_SHOWN + 2; // no button for a row or two
  const body = el("tbody", {}, rows.map((row, at) => line(row, far, !few && at >= ROWS_SHOWN)));
  const made = el("table", {},
    el("caption", { class: "away" }, `Stores with ${name}`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Store"),
      far ? el("th", { scope: "col", class: "number" }, "Distance") : null,
      el("th", { scope: "col", class: "number" }, "In stock"))),
    body);
  if (few) return made;
  const more = el("button", { type: "button", class: "quiet more", onclick: () => {
    for (const row of body.querySelectorAll("[hidden]")) row.hidden = false;
    more.remove();
  } }, `Show all ${whole(rows.length)} stores`);
  return [made, more];
}

function line(row, far, hidden) {
  const city = row.city && !row.name.toLowerCase().includes(row.city.toLowerCase()) ? row.city : null;
  return el("tr", { class: row.quantity ? null : "none", hidden, "data-store": row.store_id },
    el("th", { scope: "row" }, row.name, city ? el("span", { class: "soft" }, ` ${city}`) : null),
    far ? el("td", { class: "number" }, distance(row.distance_km) || "online") : null,
    el("td", { class: "number quantity" }, row.quantity ? whole(row.quantity) : "none"));
}

function alternatives(all, onAsk) {
  if (!all.length) return null;
  return el("div", { class: "others" }, el("p", { class: "soft" }, "Similar, and in stock"),
    el("ul", {}, all.map((one) => el("li", {},
      el("button", { type: "button", class: "option", "data-sku": one.sku, onclick: () => onAsk(`Do you have the ${one.name}?`) },
        el("span", {}, one.name), el("span", { class: "soft" }, `${money(one.price, one.currency)}, ${units(one.quantity)}`))))));
}
