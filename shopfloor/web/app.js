// The chat page: sends messages, follows the answers, and brings the conversation back after a reload.

import { getHistory, getShop, streamTurn, Trouble } from "./api.js";
import { el } from "./dom.js";
import { setShopName, setThreadId, shopName, threadId, userId } from "./memory.js";
import { kindOf, picture } from "./pictures.js";
import { Turn } from "./turn.js";

const SHOP_RETRY_MS = 1_500;

const $ = (id) => document.getElementById(id);
const page = {
  shop: $("shop-text"), fresh: $("new"), scroll: $("scroll"), welcome: $("welcome"), starters: $("starters"), shelves: $("shelves"), turns: $("turns"),
  banner: $("banner"), form: $("composer"), message: $("message"), send: $("send"), spoken: $("spoken"),
};

/** The turn under way: what stops it; null between turns. */
let running = null;

// Sending ------------------------------------------------------------------------------------------------------------

async function ask(text) {
  const message = text.trim();
  if (!message || running) return;
  const turn = begin(message);
  const mine = new AbortController();
  running = mine;
  setBusy(true);
  speak("");
  try {
    await follow(turn, message, mine);
  } catch (error) {
    if (mine.signal.aborted) {
      if (turn.node.isConnected) turn.stop(() => retry(turn, message));
    } else {
      turn.fail(sentenceOf(error), () => retry(turn, message));
    }
  } finally {
    if (running === mine) {
      running = null;
      setBusy(false);
    }
  }
}

async function follow(turn, message, mine) {
  const body = { text: message, user_id: userId() };
  if (threadId()) body.thread_id = threadId();
  for await (const event of streamTurn(body, mine.signal)) {
    if (mine.signal.aborted) throw new DOMException("stopped", "AbortError");
    if (event.type === "route") setThreadId(event.thread_id);
    if (event.type === "error") throw new Trouble(event.detail, { code: event.code });
    if (event.type === "done") {
      turn.finish(event.reply);
      speak(turn.aloud());
    } else {
      turn.take(event);
    }
  }
}

function sentenceOf(error) {
  if (error instanceof Trouble) return error.message;
  console.error(error);
  return "Something went wrong on this page. Please try again.";
}

function retry(turn, message) {
  if (running) return;
  turn.node.remove();
  page.message.focus();
  void ask(message);
}

function begin(message) {
  page.welcome.hidden = true;
  const turn = new Turn(message, (text) => void ask(text));
  page.turns.append(turn.node);
  // The question goes to the top and the answer grows beneath it: nothing moves while it is read.
  page.scroll.scrollTo({ top: turn.node.offsetTop, behavior: calm() ? "instant" : "smooth" });
  return turn;
}

function stop() {
  running?.abort();
}

// Beginning and coming back ------------------------------------------------------------------------------------------

function startOver() {
  stop();
  running = null;
  setBusy(false);
  setThreadId(null);
  page.turns.replaceChildren();
  page.welcome.hidden = false;
  page.scroll.scrollTop = 0;
  page.message.focus();
}

async function restore() {
  const id = threadId();
  if (!id) {
    page.welcome.hidden = false;
    return;
  }
  try {
    show((await getHistory(id, userId())).messages);
  } catch (error) {
    // The conversation is gone, or somebody else's: begin a new one. Anything else may pass, so keep the id.
    if (error.status === 404 || error.status === 403) setThreadId(null);
    else say(sentenceOf(error));
    page.welcome.hidden = page.turns.childElementCount > 0;
  }
}

function show(messages) {
  if (running || page.turns.childElementCount) return; // the shopper was faster
  let asked = null;
  for (const message of messages) {
    if (message.role === "user") {
      if (asked !== null) place(asked, null);
      asked = message.text;
    } else {
      place(asked, message);
      asked = null;
    }
  }
  if (asked !== null) place(asked, null);
  page.welcome.hidden = messages.length > 0;
  page.scroll.scrollTo({ top: page.turns.lastElementChild?.offsetTop ?? 0, behavior: "instant" });
}

function place(asked, answer) {
  const turn = new Turn(asked, (text) => void ask(text));
  page.turns.append(turn.node);
  if (answer) turn.finish(answer);
  else turn.stop(() => retry(turn, asked));
}

async function openShop() {
  setName(shopName());
  for (;;) {
    try {
      const shop = await getShop();
      setName(shop.name);
      setShopName(shop.name);
      showWelcome(shop);
      say(navigator.onLine ? "" : OFFLINE);
      return;
    } catch (error) {
      say(error.code === "starting" ? "The shop is opening. A moment, please." : sentenceOf(error));
      await new Promise((resolve) => setTimeout(resolve, SHOP_RETRY_MS));
    }
  }
}

function setName(name) {
  if (!name) return;
  page.shop.textContent = name;
  document.title = `${name}: shop assistant`;
}

function showWelcome(shop) {
  page.starters.replaceChildren(...shop.starters.map((text) =>
    el("li", {}, el("button", { type: "button", class: "starter", onclick: () => void ask(text) }, text))));
  page.shelves.replaceChildren(...shop.shelves.map((name) =>
    el("li", {}, el("button", { type: "button", class: "shelf", onclick: () => void ask(`Show me your ${lowered(name)}`) },
      picture(kindOf(name, null), null), el("span", {}, name)))));
}

/** "Camp kitchen" goes into a sentence in lower case; "TVs" and "USB hubs" do not. */
function lowered(name) {
  return name.slice(1) === name.slice(1).toLowerCase() ? name.toLowerCase() : name;
}

// The page's state ---------------------------------------------------------------------------------------------------

const OFFLINE = "You are offline. The conversation goes on when the connection is back.";
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function say(sentence) {
  page.banner.textContent = sentence;
  page.banner.hidden = !sentence;
}

function speak(text) {
  page.spoken.textContent = text;
}

function setBusy(busy) {
  page.form.classList.toggle("busy", busy);
  page.send.setAttribute("aria-label", busy ? "Stop" : "Send");
  setSendable();
}

function setSendable() {
  page.send.disabled = !running && !page.message.value.trim();
}

function fitMessage() {
  page.message.style.setProperty("height", "auto");
  page.message.style.setProperty("height", `${page.message.scrollHeight}px`);
  setSendable();
}

function submit() {
  const text = page.message.value;
  if (running || !text.trim()) return;
  page.message.value = "";
  fitMessage();
  void ask(text);
}

page.form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (running) stop();
  else submit();
});
page.message.addEventListener("input", fitMessage);
page.message.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    submit();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running) stop();
});
page.fresh.addEventListener("click", startOver);
addEventListener("offline", () => say(OFFLINE));
addEventListener("online", () => say(""));

fitMessage();
if (matchMedia("(hover: hover)").matches) page.message.focus(); // on a phone it would open the keyboard
void openShop();
void restore();
