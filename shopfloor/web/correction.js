// "Correct this": a better product, the right stock, or a sentence.

import { el, randomId } from "./dom.js";

const SEARCH_AFTER_MS = 180;

/** The form for one answer. `answer`: `{ traceId, items, stock }`; `service`: `{ find, send }`. */
export function correctionForm(answer, service) {
  const id = randomId();
  const parts = [productPart(id, service), answer.stock?.stores?.length ? stockPart(id, answer.stock) : null, textPart(id)].filter(Boolean);
  const chosen = { part: parts[0] };
  const note = el("p", { class: "noted", role: "status" });
  const form = el("form", { class: "correct", hidden: true, "aria-label": "Correct this answer", novalidate: true });
  const api = { node: form, onClose: () => {}, focus: () => chosen.part.focus() };
  const choose = (part) => {
    chosen.part = part;
    for (const one of parts) one.node.hidden = one !== part;
    note.textContent = "";
  };
  const kinds = el("fieldset", { class: "kinds" }, el("legend", { class: "away" }, "What was wrong"), parts.map((part, at) => {
    const input = el("input", { type: "radio", class: "away", name: `kind-${id}`, id: `kind-${id}-${at}`, checked: at === 0, onchange: () => choose(part) });
    return [input, el("label", { for: input.id }, part.title)];
  }));
  const send = el("button", { type: "submit", class: "solid" }, "Send");
  form.append(kinds, ...parts.map((part) => part.node),
    el("div", { class: "correct-end" }, send, el("button", { type: "button", class: "quiet", onclick: () => api.onClose() }, "Cancel"), note));
  choose(parts[0]);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    note.textContent = "";
    send.disabled = true;
    try {
      const { correction, said } = await chosen.part.read();
      await service.send({ trace_id: answer.traceId, correction });
      form.replaceChildren(el("p", { class: "confirmed", role: "status", tabindex: "-1" }, said));
      form.firstChild.focus();
    } catch (trouble) {
      note.textContent = trouble.message;
      send.disabled = false;
    }
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") api.onClose();
  });
  return api;
}

function productPart(id, service) {
  const list = el("datalist", { id: `products-${id}` });
  const input = el("input", { type: "text", id: `product-${id}`, list: list.id, maxlength: 128, autocomplete: "off", placeholder: "Its name or number" });
  let timer = 0;
  let running = new AbortController();
  const search = async (text) => {
    running.abort();
    running = new AbortController();
    return service.find(text, running.signal);
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    const text = input.value.trim();
    if (text.length < 2) return;
    timer = setTimeout(async () => {
      try {
        const found = await search(text);
        list.replaceChildren(...found.map((product) => el("option", { value: product.name, label: product.sku })));
      } catch {
        list.replaceChildren(); // suggestions are a convenience; sending says what is wrong
      }
    }, SEARCH_AFTER_MS);
  });
  return {
    title: "A better product",
    node: el("div", { class: "part" }, el("label", { for: input.id }, "Which product would have been right?"), input, list),
    focus: () => input.focus(),
    read: async () => {
      const text = input.value.trim();
      if (!text) throw new Error("Name the product, please.");
      clearTimeout(timer);
      const found = await search(text);
      const same = found.find((product) => [product.sku, product.name].some((one) => one.toLowerCase() === text.toLowerCase()));
      const product = same ?? (found.length === 1 ? found[0] : null);
      if (!product) {
        throw new Error(found.length ? `Several products are called that: ${found.slice(0, 4).map((one) => one.name).join(", ")}.` : "There is no product by that name here.");
      }
      return {
        correction: { kind: "better_product", sku: product.sku },
        said: `Thank you. Noted: ${product.name} would have been right.`,
      };
    },
  };
}

function stockPart(id, stock) {
  const store = el("select", { id: `store-${id}` }, stock.stores.map((one) => el("option", { value: one.store_id }, one.name)));
  const count = el("input", { type: "number", id: `count-${id}`, min: 0, max: 100000, step: 1, inputmode: "numeric" });
  return {
    title: "The right stock",
    node: el("div", { class: "part pair" },
      el("div", {}, el("label", { for: store.id }, "Store"), store),
      el("div", {}, el("label", { for: count.id }, "Units there"), count)),
    focus: () => store.focus(),
    read: async () => {
      const quantity = Number(count.value);
      if (count.value === "" || !Number.isInteger(quantity) || quantity < 0) throw new Error("Give the number of units, 0 or more.");
      return {
        correction: { kind: "stock", sku: stock.product.sku, store_id: store.value, quantity },
        said: `Thank you. Noted: ${quantity} in ${store.selectedOptions[0].textContent}.`,
      };
    },
  };
}

function textPart(id) {
  const text = el("textarea", { id: `text-${id}`, rows: 3, maxlength: 4000 });
  return {
    title: "Something else",
    node: el("div", { class: "part" }, el("label", { for: text.id }, "What should it have said?"), text),
    focus: () => text.focus(),
    read: async () => {
      const said = text.value.trim();
      if (!said) throw new Error("Write a few words, please.");
      return { correction: said, said: "Thank you. Your correction is noted." };
    },
  };
}
