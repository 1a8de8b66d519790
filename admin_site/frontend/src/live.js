// One socket for the page. The server says what changed; the parts that show it are
// fetched again by htmx, which waits for the event "live" on them.
//
// A part: <div data-live-topic="run" data-live-id="…" data-live-what="jobs" hx-get=…>.
// Others listen to "live:hint" on the document (output.js).

const POLL_MS = 10_000;
const RENEW_MS = 60_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
const NOT_TRIED_AGAIN = new Set([4400, 4401, 4403, 4404]);
const STEADY_MS = 5_000;

let wait = FIRST_WAIT_MS;
let poller = null;

const parts = () => [...document.querySelectorAll("[data-live-topic]")];

const topics = () => {
  const seen = new Map();
  for (const part of parts()) {
    const { liveTopic: topic, liveId: id } = part.dataset;
    seen.set(`${topic} ${id}`, { topic, id });
  }
  return [...seen.values()];
};

function renew(fits) {
  for (const part of parts()) {
    if (fits(part.dataset)) part.dispatchEvent(new CustomEvent("live"));
  }
}

function renewAll() {
  renew(() => true);
  for (const { topic, id } of topics()) tell({ topic, id, what: "*" });
}

function tell(hint) {
  document.dispatchEvent(new CustomEvent("live:hint", { detail: hint }));
}

function received(message) {
  if (message.subscribed) {
    // What changed between making the page and now was not hinted at.
    const { topic, id } = message.subscribed;
    renew((data) => data.liveTopic === topic && data.liveId === id);
    tell({ topic, id, what: "*" });
    return;
  }
  const { topic, id, what } = message;
  renew(
    (data) =>
      data.liveTopic === topic &&
      data.liveId === id &&
      data.liveWhat.split(" ").includes(what),
  );
  tell(message);
}

function show(isConnected) {
  for (const notice of document.querySelectorAll("[data-live-notice]")) {
    notice.hidden = isConnected;
  }
  if (isConnected) {
    clearInterval(poller);
    poller = null;
  } else if (poller === null) {
    poller = setInterval(renewAll, POLL_MS);
  }
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}/ws/live/`);
  let steady = null;
  socket.addEventListener("open", () => {
    for (const topic of topics()) socket.send(JSON.stringify({ subscribe: topic }));
    show(true);
    steady = setTimeout(() => {
      wait = FIRST_WAIT_MS;
    }, STEADY_MS);
  });
  socket.addEventListener("message", (event) => received(JSON.parse(event.data)));
  socket.addEventListener("close", (event) => {
    clearTimeout(steady);
    show(false);
    if (NOT_TRIED_AGAIN.has(event.code)) return;
    // Not all pages at the same moment after a restart of the server.
    setTimeout(connect, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  });
}

// A hint may be lost, and words such as "seen 2 minutes ago" grow old without any.
setInterval(renewAll, RENEW_MS);

// Only then htmx knows the parts.
document.addEventListener("DOMContentLoaded", () => {
  if (parts().length > 0) connect();
});
