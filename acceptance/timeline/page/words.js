// What the data say, in the reader's words.

const $ = (id) => document.getElementById(id);

// element makes one, with attributes and content; text stays text.
function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...content.filter((c) => c !== null && c !== undefined));
  return made;
}

// span writes milliseconds as a table does: "340ms", "7.1s", "1m20s", "24h14m".
function span(ms) {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 10000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")}s`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m${s % 60 ? `${s % 60}s` : ""}`;
  const m = Math.round(s / 60);
  return `${Math.floor(m / 60)}h${m % 60 ? `${m % 60}m` : ""}`;
}

// instant writes one exactly: "3.25s", "1h2m3.004s".
function instant(ms) {
  const s = Math.round(ms) / 1000;
  if (s === 0) return "0s";
  if (Math.abs(s) < 1) return `${Math.round(ms)}ms`;
  const h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  const rest = `${+(s - Math.floor(s / 60) * 60).toFixed(3)}s`;
  return (h ? `${h}h` : "") + (m || h && rest !== "0s" ? `${m}m` : "") + (rest === "0s" && (h || m) ? "" : rest);
}

// again shows a command, and copies it where a page from disk may.
function again(where, command) {
  const button = element("button", { type: "button", title: "copy the command" }, "copy");
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(command).then(() => { button.textContent = "copied"; }, () => { button.textContent = "select it"; });
  });
  where.replaceChildren(element("code", {}, command), button);
}

// How each state looks: its colour, the letter that says it without the colour, and what it means.
const states = {
  PENDING: { colour: "--waits", letter: "…", text: "waits" },
  ASSIGNED: { colour: "--assigned", letter: "A", pattern: "dots", text: "assigned: its worker has not said that it began" },
  BUILDING: { colour: "--building", letter: "B", pattern: "stripes", text: "building: workspace and container" },
  RUNNING: { colour: "--running", letter: "R", text: "running" },
  SUCCEEDED: { colour: "--succeeded", letter: "✓", text: "succeeded" },
  FAILED: { colour: "--failed", letter: "✗", text: "failed" },
  KILLED: { colour: "--killed", letter: "K", text: "killed: its job was over" },
  WORKER_FAILED: { colour: "--worker-failed", letter: "W", text: "worker failed: it was not the task's fault" },
  COSCHED_FAILED: { colour: "--cosched", letter: "C", text: "ended with another task of its gang" },
  UNSCHEDULABLE: { colour: "--failed", letter: "U", text: "unschedulable" },
  LIVE: { colour: "--live", text: "live: the controller counts on the worker" },
  LOST: { colour: "--lost", pattern: "crosses", text: "lost: the controller does not count on the worker" },
  LEADS: { colour: "--leads", text: "leads: this controller decides" },
  UP: { colour: "--back", text: "up: a controller that does not lead" },
  DOWN: { colour: "--lost", pattern: "crosses", text: "down" },
  FAULT: { colour: "--bad-back", pattern: "stripes", text: "a fault that lasts" },
  OVER: { colour: "--fault", letter: "", text: "over" },
  REQUESTED: { colour: "--assigned", letter: "…", pattern: "dots", text: "asked for" },
  CREATED: { colour: "--building", letter: "B", pattern: "stripes", text: "created: its machines start" },
  READY: { colour: "--running", letter: "R", text: "ready" },
  ADOPTED: { colour: "--running", letter: "R", text: "ready: it was there before" },
  IDLE: { colour: "--killed", letter: "I", text: "idle: given back" },
  SURPLUS: { colour: "--killed", letter: "S", text: "surplus: given back" },
  FAILED_SLICE: { colour: "--failed", letter: "✗", text: "failed" },
  UNHEALTHY: { colour: "--worker-failed", letter: "U", text: "unhealthy: given back" },
  PREEMPTED: { colour: "--worker-failed", letter: "P", text: "taken away" },
  ORPHAN: { colour: "--killed", letter: "O", text: "nobody's: given back" },
  REFUSED: { colour: "--failed", letter: "✗", text: "refused by the platform" },
  GONE: { colour: "--killed", letter: "■", text: "gone" },
};
const unknown = { colour: "--waits", letter: "?", text: "" };
const look = (state) => states[state] || unknown;

// The sign of each kind of event. Those without one are told by bars, the quiet ones by arrows.
const signs = {
  fault: { glyph: "◆", bad: true, text: "a fault that was ordered strikes" },
  killed: { glyph: "■", bad: true, text: "a participant is killed by order" },
  started: { glyph: "▶", text: "it is started again" },
  lost: { glyph: "✖", bad: true, text: "a worker is lost" },
  registered: { glyph: "▲", text: "a worker registers" },
  leads: { glyph: "★", text: "a controller begins to lead" },
  "dispatch failed": { glyph: "✗", bad: true, quiet: true, text: "an order did not reach its worker" },
  call: { glyph: "✗", bad: true, quiet: true, text: "a call failed or was late" },
  slice: { glyph: "", text: "" },
  released: { glyph: "", text: "" },
};
