// The owner's page and the service: snapshots as they change, and actions.

export class Trouble extends Error {}

/** Call `draw` with each snapshot, for as long as the page is open; `state` hears whether there is a connection. */
export function watchDashboard(draw, state) {
  const source = new EventSource("/api/dashboard/events");
  source.addEventListener("message", (event) => {
    state(true);
    draw(JSON.parse(event.data));
  });
  source.addEventListener("error", () => state(false));
}

/** Ask the service to do something; a refusal is a Trouble with its sentence. */
export const act = (request) => post("/api/dashboard/actions", request);

/** The owner's word on a correction, as it was shown; a refusal is a Trouble with its sentence. */
export const review = (correction, verdict) =>
  post("/api/dashboard/reviews", { feedback_id: correction.feedback_id, digest: correction.digest, verdict });

async function post(path, request) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(request),
    });
  } catch {
    throw new Trouble("The service can't be reached.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Trouble(body.detail ?? `That did not work (${response.status}).`);
  return body;
}
