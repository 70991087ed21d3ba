// What the page keeps between visits: who you are to the shop, the conversation, and what you already rated.

import { randomId } from "./dom.js";

const PREFIX = "shopfloor.";
const MARKS_KEPT = 200;
const fallback = new Map();

function get(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return fallback.get(name) ?? null; // storage is switched off: the page works until it is closed
  }
}

function set(name, value) {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    if (value === null) fallback.delete(name);
    else fallback.set(name, value);
  }
}

/** A random name for this browser; threads and feedback belong to it. */
export function userId() {
  let id = get("user");
  if (!id) {
    id = `web-${randomId()}`;
    set("user", id);
  }
  return id;
}

export const threadId = () => get("thread");
export const setThreadId = (id) => set("thread", id);

/** The shop's name as last seen, so that the header is right from the first frame. */
export const shopName = () => get("shop");
export const setShopName = (name) => set("shop", name);

function marks() {
  try {
    const found = JSON.parse(get("marks") ?? "[]");
    return new Map(Array.isArray(found) ? found : []);
  } catch {
    return new Map();
  }
}

/** What was said of an answer or a card: a number of stars, an action, or nothing. */
export const mark = (key) => marks().get(key) ?? null;

export function setMark(key, value) {
  const all = marks();
  all.delete(key);
  if (value !== null) all.set(key, value);
  set("marks", JSON.stringify([...all].slice(-MARKS_KEPT)));
}
