// The owner's page: draws each snapshot that the service sends, and sends the few things an owner can do.

import { Trouble, act, review, watchDashboard } from "./dashboard_api.js";
import { corrections } from "./dashboard_reviews.js";
import { el, svg } from "./dom.js";

const $ = (id) => document.getElementById(id);
const VERDICTS = {
  promoted: ["good", "Promoted"],
  rejected: ["bad", "Rejected"],
  not_enough_evidence: ["wait", "Not enough evidence"],
  running: ["wait", "Running"],
  held: ["wait", "Held back"],
  failed: ["bad", "Failed"],
  erased: ["", "Erased"],
};
const ACTIONS = {
  add: "was added",
  candidate: "is a candidate again",
  challenger: "is being tried",
  share: "is tried on more users",
  hold: "does not go live",
  activate: "serves now",
  rollback: "was taken back",
  retire: "was retired",
  pin: "was pinned",
  unpin: "was unpinned",
  accepted: "was accepted",
  refused: "was refused",
};
const STATES = { champion: ["good", "Serves"], challenger: ["wait", "On trial"] };
const OUTCOMES = { quality: "What people say", failed: "Failed turns", slow: "Slow turns" };
const KINDS = { head: "head", lora: "LoRA adapter", fusion: "ranking weights" };
const STEPS = { head: ["train", "gate", "register", "promote"], lora: ["train", "convert", "parity", "gate", "register", "promote"] };
const DOING = {
  train: "It is learning.", convert: "The adapter is being converted.", parity: "The converted adapter is compared with the trained one.",
  gate: "It is compared with what serves.", register: "It is being filed.", promote: "It is being decided on.",
};

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const moment = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const count = new Intl.NumberFormat();
const points = (share) => `${share >= 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(1)}`;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

let toastTimer = 0;
let reviewsShown = "";
const open = new Set();

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => ($("toast").hidden = true), 6000);
}

async function run(request, question) {
  if (question && !window.confirm(question)) return;
  await told(act(request));
}

/** Say how it went; true where it was done. */
async function told(asked) {
  try {
    toast((await asked).done);
    return true;
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    toast(error.message);
    return false;
  }
}

function draw(page) {
  $("shop-text").textContent = page.shop;
  document.title = `${page.shop}: dashboard`;
  drawHealth(page);
  drawLearning(page.learning, page.runs.find((one) => one.under_way));
  drawReviews(page.corrections);
  $("trials-section").hidden = !page.trials.length;
  $("trials").replaceChildren(...page.trials.map(trialCard));
  $("agents").replaceChildren(...Object.entries(page.agents).map(agentCard));
  $("days").replaceChildren(...chart(page.days));
  $("runs").replaceChildren(...(page.runs.length ? page.runs.map(runCard) : [empty("No training yet. The first one starts by itself when enough people have reacted.")]));
  $("artefacts").replaceChildren(artefacts(page.artefacts, page.trials));
  $("changes").replaceChildren(decisions(page.changes));
}

function drawHealth(page) {
  const health = $("health");
  health.className = page.ready ? (page.degraded ? "health low" : "health") : "health out";
  const up = page.uptime_s ? `, up ${duration(page.uptime_s)}` : "";
  const memory = page.memory_mb ? `, ${count.format(Math.round(page.memory_mb))} MB` : "";
  const well = `Everything works${up}${memory}.`;
  health.textContent = page.ready && !page.degraded ? well : page.reasons.join(" ") || "Starting …";
}

/** Drawn anew only when it is another list: a button that somebody is about to press stays where it is. */
function drawReviews(found) {
  const shown = JSON.stringify(found);
  if (shown === reviewsShown) return;
  reviewsShown = shown;
  $("reviews-section").hidden = !found.shown.length;
  $("reviews").replaceChildren(...corrections(found, moment, (one, verdict) => told(review(one, verdict))));
}

function drawLearning(learning, under) {
  const share = Math.min(1, learning.waiting / learning.needed);
  const left = Math.max(0, learning.needed - learning.waiting);
  let sentence;
  if (learning.running) sentence = "";
  else if (!learning.possible) sentence = "Training is not installed here: pip install 'shopfloor[learn]'.";
  else if (!learning.automatic) sentence = "Trainings are started by hand here.";
  else if (learning.waits_for) sentence = learning.waits_for.replace(/\d{4}-\S+(?=\.$)/, (time) => moment.format(new Date(time)));
  else if (left > 0) sentence = `${count.format(left)} more, and a training starts by itself.`;
  else sentence = "Enough for a training; it starts by itself.";
  const lines = [
    el("p", {}, el("strong", {}, count.format(learning.waiting)), ` usable ${learning.waiting === 1 ? "reaction" : "reactions"} since the last training. ${sentence}`.trimEnd()),
    learning.running ? training(learning, under) : el("progress", { class: "bar", max: learning.needed, value: Math.round(share * learning.needed), "aria-label": "Reactions until the next training" }),
  ];
  $("learning").replaceChildren(...lines);
  $("train").disabled = learning.running || !learning.possible;
  $("stop").hidden = !learning.stoppable;
}

/** The training under way: what it does, and while it learns how far it is. */
function training(learning, under) {
  const by = learning.stoppable ? "" : " It was started elsewhere, and is stopped there.";
  if (!under) return el("div", { class: "training" }, el("p", {}, el("strong", {}, "A training is beginning."), ` It collects what people said.${by}`));
  const step = (STEPS[under.method] ?? STEPS.head).find((one) => !under.steps.includes(one));
  const far = step === "train" ? under.progress : null;
  const about = !far ? [] : [
    `step ${count.format(far.step)} of ${count.format(far.steps)}`,
    far.loss === null ? null : `loss ${far.loss.toFixed(2)}`,
    far.paused || far.eta_s === null ? null : `about ${duration(far.eta_s)} left`,
    far.memory_mb === null ? null : `${count.format(Math.round(far.memory_mb))} MB`,
  ].filter(Boolean);
  return el("div", { class: "training" },
    el("p", {}, el("strong", {}, `The ${under.agent}'s ${KINDS[under.method] ?? under.method} is being trained.`), ` ${DOING[step] ?? "It is ending."}${by}`,
      far?.paused ? [" ", el("span", { class: "tag wait" }, "waits for shoppers")] : null),
    far ? el("progress", { class: "bar", max: far.steps, value: Math.min(far.step, far.steps), "aria-label": "Training" }) : null,
    far ? el("p", { class: "soft far" }, about.join(", "), ".") : null);
}

function trialCard(one) {
  const now = one.stages.indexOf(one.share);
  const steps = one.stages.map((share, at) =>
    el("li", { class: at < now ? "done" : at === now ? "now" : "", "aria-current": at === now ? "step" : null }, share === 100 ? "Everybody" : `${share} %`));
  const reach = (row) => Math.max(0.02, row.margin * 1.5, Math.min(1, Math.max(Math.abs(row.low), Math.abs(row.high))));
  return el("article", { class: "panel trial" },
    el("p", {}, `The ${one.agent}'s new ${KINDS[one.kind] ?? one.kind} `, el("code", {}, one.artefact.slice(0, 12)), ` answers ${one.share} % of the users since `,
      el("time", { datetime: one.stage_at }, moment.format(new Date(one.stage_at))), one.pinned ? [". ", el("span", { class: "tag wait" }, "pinned")] : "."),
    el("ol", { class: "steps", "aria-label": "Share of the users" }, steps),
    el("table", { class: "rows" },
      el("thead", {}, el("tr", {}, el("th", {}, "Outcome"), el("th", { class: "num" }, "Before"), el("th", { class: "num" }, "New"), el("th", { class: "hide-small" }, "Difference, with all that is still possible"))),
      el("tbody", {}, one.outcomes.map((row) => el("tr", {},
        el("td", {}, OUTCOMES[row.name] ?? row.name, el("br"), el("span", { class: "soft" }, `${count.format(row.n_champion)} and ${count.format(row.n_challenger)} users`, row.n_champion && row.n_challenger ? [el("br"), `${inUnits(row, row.diff)} (${inUnits(row, row.low)} to ${inUnits(row, row.high)})`] : null)),
        el("td", { class: "num" }, outcome(row, row.champion, row.n_champion)),
        el("td", { class: "num" }, outcome(row, row.challenger, row.n_challenger)),
        el("td", { class: "hide-small" }, row.n_champion && row.n_challenger ? trialInterval(row, reach(row)) : el("span", { class: "soft" }, "nothing to compare yet")))))),
    el("p", { class: "soft" }, one.pinned ? "It is pinned: its share stays as it is." : `Before more users get it: ${one.reason}.`),
    el("div", { class: "buttons" },
      el("button", { class: "quiet", type: "button", onclick: () => run({ action: "promote", artefact: one.artefact }, "Give it to everybody now?") }, "Promote now"),
      el("button", { class: "quiet", type: "button", onclick: () => run({ action: "rollback", artefact: one.artefact }, "Take it back, so that everybody is served as before?") }, "Roll back"),
      el("button", { class: "quiet", type: "button", onclick: () => run({ action: one.pinned ? "unpin" : "pin", artefact: one.artefact }) }, one.pinned ? "Unpin" : "Keep this share")));
}

function outcome(row, mean, n) {
  if (!n) return "–";
  return row.name === "quality" ? [(1 + 4 * mean).toFixed(1), " ", el("small", {}, "of 5")] : percent(mean);
}

const inUnits = (row, value) => `${value >= 0 ? "+" : "−"}${row.name === "quality" ? Math.abs(4 * value).toFixed(1) + " stars" : Math.abs(100 * value).toFixed(1) + " points"}`;

/** The difference so far with its interval; the dashed line is no difference, the shaded part harm beyond the margin. */
function trialInterval(row, reach) {
  const better = row.name === "quality" ? 1 : -1;
  const at = (value) => 64 + (Math.max(-reach, Math.min(reach, value)) / reach) * 60;
  const tone = better * (better > 0 ? row.high : row.low) < 0 ? "bad" : better * (better > 0 ? row.low : row.high) > 0 ? "good" : "";
  const edge = at(-better * row.margin), end = at(-better * reach);
  return svg("svg", { class: `interval ${tone}`, viewBox: "0 0 128 20", role: "img", "aria-label": `from ${inUnits(row, row.low)} to ${inUnits(row, row.high)}` },
    svg("rect", { class: "harm", x: Math.min(edge, end), width: Math.abs(end - edge), y: 3, height: 14, rx: 2 }),
    svg("line", { class: "zero", x1: 64, x2: 64, y1: 2, y2: 18 }),
    svg("line", { class: "span", x1: at(row.low), x2: at(row.high), y1: 10, y2: 10 }),
    svg("circle", { class: "point", cx: at(row.diff), cy: 10, r: 3.5 }));
}

function agentCard([name, agent]) {
  const rating = agent.feedback.mean_rating;
  const figures = [
    ["Answers", count.format(agent.requests)],
    ["Half within", agent.latency_ms.p50 === undefined ? "–" : milliseconds(agent.latency_ms.p50)],
    ["95 of 100 within", agent.latency_ms.p95 === undefined ? "–" : milliseconds(agent.latency_ms.p95)],
    ["Tokens a second", agent.tokens_per_second ? agent.tokens_per_second.toFixed(0) : "–"],
    ["Reactions", count.format(agent.feedback.count)],
    ["Mean rating", rating === null ? "–" : [rating.toFixed(1), " ", el("small", {}, "of 5")]],
  ];
  return el("article", { class: "card" },
    el("h3", {}, name),
    el("p", { class: "soft" }, `${agent.model}, ${agent.adapter ? `adapter ${agent.adapter.slice(0, 12)}` : "no adapter"}`),
    el("dl", { class: "figures" }, figures.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value)))));
}

function chart(days) {
  if (!days.some((one) => one.turns || one.reactions)) return [empty("Nobody has asked anything yet.")];
  const width = 640, height = 156, base = 122, step = width / days.length;
  const most = Math.max(...days.map((one) => Math.max(one.turns, one.reactions)), 1);
  const tall = (value) => (value / most) * 100;
  const bars = days.flatMap((one, at) => {
    const left = at * step + step * 0.18, wide = step * 0.3;
    return [
      svg("rect", { class: "turns", x: left, width: wide, y: base - tall(one.turns), height: tall(one.turns), rx: 2 }, svg("title", {}, `${one.day}: ${one.turns} messages`)),
      svg("rect", { class: "reactions", x: left + wide + 2, width: wide, y: base - tall(one.reactions), height: tall(one.reactions), rx: 2 }, svg("title", {}, `${one.day}: ${one.reactions} reactions`)),
    ];
  });
  const labels = days.filter((_, at) => at % 3 === (days.length - 1) % 3).map((one) =>
    svg("text", { x: (days.indexOf(one) + 0.5) * step, y: base + 24, "text-anchor": one === days.at(-1) ? "end" : "middle", ...(one === days.at(-1) ? { x: width } : {}) }, day.format(new Date(`${one.day}T12:00Z`))));
  const sum = (field) => days.reduce((total, one) => total + one[field], 0);
  return [
    svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${sum("turns")} messages and ${sum("reactions")} reactions in two weeks` },
      svg("line", { class: "base", x1: 0, x2: width, y1: base, y2: base }), bars, labels),
    el("p", { class: "key" }, el("span", {}, `${count.format(sum("turns"))} messages`), el("span", { class: "k-reactions" }, `${count.format(sum("reactions"))} reactions`)),
  ];
}

function runCard(one) {
  const [tone, word] = one.status === "running" && !one.under_way ? ["wait", "Interrupted"] : VERDICTS[one.status] ?? ["", one.status];
  const by = one.started_by === "automatic" ? "by itself" : one.started_by === "forget" ? "after somebody was forgotten" : "by hand";
  const what = [`${one.agent}'s ${KINDS[one.method] ?? one.method}`, one.rows ? `${count.format(one.rows)} rows` : null].filter(Boolean).join(", ");
  const about = `The ${what}, started ${by}${one.seconds ? `, ${duration(one.seconds)}` : ""}. ${one.reason.charAt(0).toUpperCase()}${one.reason.slice(1)}`;
  const card = el("details", { class: "run", open: open.has(one.run_id) },
    el("summary", {}, el("span", { class: `tag ${tone}` }, word), el("time", { class: "soft", datetime: one.started_at }, moment.format(new Date(one.started_at))), el("p", {}, about)),
    el("div", { class: "inside" }, one.suites.length ? suites(one.suites) : empty("It has not been compared.")));
  card.addEventListener("toggle", () => (card.open ? open.add(one.run_id) : open.delete(one.run_id)));
  return card;
}

function suites(rows) {
  const reach = Math.max(0.01, ...rows.flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]));
  return el("table", { class: "rows" },
    el("thead", {}, el("tr", {}, el("th", {}, "Suite"), el("th", { class: "num" }, "Before"), el("th", { class: "num" }, "After"), el("th", { class: "num" }, "Points"), el("th", { class: "hide-small" }, "95 % interval"))),
    el("tbody", {}, rows.map((row) => el("tr", {},
      el("td", {}, row.name),
      el("td", { class: "num" }, percent(row.champion)),
      el("td", { class: "num" }, percent(row.challenger)),
      el("td", { class: "num", title: `of ${count.format(row.n)} cases; ${(100 * row.mde).toFixed(1)} points or more would show` }, points(row.diff)),
      el("td", { class: "hide-small" }, interval(row, reach))))));
}

function interval(row, reach) {
  const at = (value) => 64 + (value / reach) * 60;
  const tone = row.regressed || row.high < 0 ? "bad" : row.low > 0 ? "good" : "";
  return svg("svg", { class: `interval ${tone}`, viewBox: "0 0 128 20", role: "img", "aria-label": `from ${points(row.low)} to ${points(row.high)} points` },
    svg("line", { class: "zero", x1: 64, x2: 64, y1: 2, y2: 18 }),
    svg("line", { class: "span", x1: at(row.low), x2: at(row.high), y1: 10, y2: 10 }),
    svg("circle", { class: "point", cx: at(row.diff), cy: 10, r: 3.5 }));
}

function artefacts(rows, trials) {
  if (!rows.length) return empty("Nothing yet: what came with the package serves.");
  return el("table", { class: "rows" }, el("tbody", {}, rows.map((row) => el("tr", {},
    el("td", {}, el("code", {}, row.hash.slice(0, 12)), el("br"), el("span", { class: "soft" }, `${row.agent}, ${KINDS[row.kind] ?? row.kind}`)),
    el("td", {}, el("span", { class: `tag ${STATES[row.state]?.[0] ?? ""}` }, `${STATES[row.state]?.[1] ?? row.state}${part(row, trials)}`), row.pinned ? [" ", el("span", { class: "tag wait" }, "pinned")] : null),
    el("td", { class: "hide-small soft" }, moment.format(new Date(row.created))),
    el("td", { class: "num" }, row.state === "champion" ? [
      el("button", { class: "quiet", type: "button", onclick: () => run({ action: row.pinned ? "unpin" : "pin", artefact: row.hash }) }, row.pinned ? "Unpin" : "Pin"),
      el("button", { class: "quiet", type: "button", disabled: row.pinned, onclick: () => run({ action: "rollback", agent: row.agent, kind: row.kind }, "Take this back, so that the one before serves again?") }, "Roll back"),
    ] : null)))));
}

/** While something is tried beside it, the share of the users that it serves. */
function part(row, trials) {
  const trial = trials.find((one) => one.agent === row.agent && one.kind === row.kind);
  if (!trial || !STATES[row.state]) return "";
  return ` ${row.state === "champion" ? 100 - trial.share : trial.share} %`;
}

function decisions(rows) {
  if (!rows.length) return empty("No decision yet.");
  return el("ol", { class: "log" }, rows.map((row) => el("li", {},
    el("time", { datetime: row.at }, moment.format(new Date(row.at))),
    el("p", {}, row.kind === "correction" ? "A shopper's correction " : `The ${row.agent}'s ${KINDS[row.kind] ?? row.kind} `, el("code", {}, row.hash.slice(0, 12)), ` ${ACTIONS[row.action] ?? row.action}`, row.reason ? ` (${row.reason.replace(/\.$/, "")}).` : "."))));
}

const empty = (text) => el("p", { class: "empty" }, text);

function milliseconds(value) {
  return value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

$("train").addEventListener("click", () => run({ action: "train" }));
$("stop").addEventListener("click", () => run({ action: "stop" }));
watchDashboard(draw, (connected) => {
  if (connected) return;
  $("health").className = "health out";
  $("health").textContent = "The service can't be reached; trying again …";
});
