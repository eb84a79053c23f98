// What a page does beside being read: it tells times in the viewer's own way, and keeps itself up to date.
"use strict";

// The controller's clock counts, not the viewer's.
const ahead = Number(document.body.dataset.now) - Date.now();
const now = () => Date.now() + ahead;

function duration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 60) return Math.floor(s) + "s";
  if (s < 3600) return Math.floor(s / 60) + "m" + Math.floor(s % 60) + "s";
  if (s < 86400) return Math.floor(s / 3600) + "h" + Math.floor(s / 60 % 60) + "m";
  return Math.floor(s / 86400) + "d" + Math.floor(s / 3600 % 24) + "h";
}

function clock(at) {
  const day = new Date(now()).toDateString() === at.toDateString() ? "" :
    at.toLocaleDateString(undefined, {day: "numeric", month: "short"}) + " ";
  return day + at.toLocaleTimeString([], {hour12: false});
}

// tell writes a time element anew; what it says already is left alone, so that a selection survives.
function tell(time) {
  const at = new Date(time.dateTime), away = at.getTime() - now();
  let text = "";
  if (time.className === "since") text = duration(-away);
  else if (time.className === "until") text = away > 0 ? "in " + duration(away) : "due";
  else text = (away > 1000 ? "in " + duration(away) : duration(Math.max(0, -away)) + " ago") + " · " + clock(at);
  if (time.textContent !== text) time.textContent = text;
  if (!time.title) time.title = at.toLocaleString() + " (" + at.toISOString() + ")";
}

const tellAll = () => document.querySelectorAll("main time, #rest time.at").forEach(tell);
setInterval(() => { if (!document.hidden) tellAll(); }, 1000);

// morph makes the children of one element those of another and keeps what is alike, so that focus, selection, scrolling and
// what is folded open stay.
function morph(from, to) {
  const known = new Map();
  for (const child of from.children) if (child.id) known.set(child.id, child);
  let at = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    let have = wanted.id ? known.get(wanted.id) : at;
    if (!have || have.nodeType !== wanted.nodeType || have.nodeName !== wanted.nodeName || (have.id || "") !== (wanted.id || "")) {
      from.insertBefore(wanted, at);
      continue;
    }
    if (have === at) at = at.nextSibling;
    else from.insertBefore(have, at);
    if (have.nodeType !== Node.ELEMENT_NODE) {
      if (have.nodeValue !== wanted.nodeValue) have.nodeValue = wanted.nodeValue;
    } else if (!have.isEqualNode(wanted)) {
      const same = have.nodeName === "TIME" && have.className === wanted.className && have.dateTime === wanted.dateTime;
      if (!same && !(have.nodeName === "INPUT" && have === document.activeElement)) {
        attributes(have, wanted);
        morph(have, wanted);
      }
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function attributes(have, wanted) {
  const viewers = name => name === "open" && have.nodeName === "DETAILS"; // what is open is the viewer's affair
  for (const {name} of [...have.attributes]) if (!wanted.hasAttribute(name) && !viewers(name)) have.removeAttribute(name);
  for (const {name, value} of wanted.attributes) if (!viewers(name) && have.getAttribute(name) !== value) have.setAttribute(name, value);
}

// While the page is hidden it follows nothing: that would cost the controller, and browsers have few connections to a host.
function followed(url, listen) {
  let source = null;
  const update = () => {
    if (document.hidden && source) { source.close(); source = null; }
    if (!document.hidden && !source) { source = new EventSource(url()); listen(source); }
  };
  document.addEventListener("visibilitychange", update);
  addEventListener("pagehide", () => { if (source) source.close(); source = null; });
  addEventListener("pageshow", update);
  update();
}

const trouble = document.getElementById("trouble"), pulse = document.getElementById("pulse");
function troubled(text) {
  trouble.hidden = !text;
  if (trouble.textContent !== text) trouble.textContent = text;
}

if ("live" in document.body.dataset) {
  followed(() => location.pathname + location.search, source => {
    source.addEventListener("page", e => {
      const news = new DOMParser().parseFromString(e.data, "text/html").body;
      morph(document.getElementById("main"), news);
      tellAll();
      troubled("");
      pulse.textContent = "Up to date";
      document.body.dataset.seen = String(Number(document.body.dataset.seen || 0) + 1);
    });
    source.addEventListener("trouble", e => { troubled(e.data + ". What is shown may be old."); pulse.textContent = "Not up to date"; });
    source.addEventListener("reload", () => location.reload());
    source.onerror = () => {
      pulse.textContent = "Not up to date";
      troubled("This page is cut off from its controller, and tries to reach it. What is shown may be old.");
      if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
    };
  });
}

// lines follows a log, or faults as they fire.
const most = 5000; // lines that are kept
const box = document.getElementById("lines");
if (box) {
  const follow = document.getElementById("follow"), state = document.getElementById("log-state");
  let last = "", ended = false;
  const append = all => {
    const added = document.createDocumentFragment();
    for (const line of all) {
      const row = document.createElement("div");
      if (line.kind && line.kind !== "stdout") row.className = line.kind;
      if (line.at) {
        const time = document.createElement("time");
        time.dateTime = line.at;
        time.title = line.at;
        time.textContent = clock(new Date(line.at));
        row.append(time);
      }
      if (line.source) row.append(Object.assign(document.createElement("b"), {textContent: line.source}));
      row.append(line.text);
      added.append(row);
    }
    box.append(added);
    while (box.childElementCount > most) box.firstElementChild.remove();
    if (follow.checked) box.scrollTop = box.scrollHeight;
  };
  box.addEventListener("wheel", e => { if (e.deltaY < 0) follow.checked = false; }, {passive: true});
  follow.addEventListener("change", () => { if (follow.checked) box.scrollTop = box.scrollHeight; });
  const url = () => {
    const at = new URL(box.dataset.lines, location.href);
    if (last) at.searchParams.set("from", last);
    return at;
  };
  followed(url, source => {
    if (ended) { source.close(); return; }
    let fresh = true; // a stream that does not know what there is already begins anew
    source.onopen = () => { fresh = true; state.textContent = "following"; };
    source.addEventListener("lines", e => {
      if (fresh && !last) box.replaceChildren();
      fresh = false;
      if (e.lastEventId) last = e.lastEventId;
      append(JSON.parse(e.data));
    });
    source.addEventListener("end", () => { ended = true; source.close(); state.textContent = "that is all"; });
    source.onerror = () => { state.textContent = "trying to reach the controller"; };
  });
}

tellAll();
