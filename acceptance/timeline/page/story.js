// One scenario: its jobs, its timeline, its events.

const story = {
  options: { calls: true, beats: true, chosen: null },

  init() {
    this.painter = new Painter($("canvas"));
    hands($("canvas"), $("lanes"), this);
    events.init((what) => {
      this.choose(what);
      $("lanes").scrollIntoView({ block: "nearest" });
    });
    $("spec").addEventListener("change", () => this.tell(this.timelines[$("spec").selectedIndex]));
    for (const id of ["calls", "beats"]) {
      $(id).addEventListener("change", () => {
        this.options[id] = $(id).checked;
        this.redraw();
      });
    }
    $("lanes").addEventListener("scroll", () => this.redraw());
    new ResizeObserver(() => this.redraw()).observe($("lanes"));
    const repaint = () => {
      this.painter.learn();
      this.redraw();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    window.addEventListener("beforeprint", () => {
      this.painter.learn();
      this.draw();
    });
    window.addEventListener("afterprint", repaint);
    this.explain();
  },

  // open shows a scenario, whose data are read now.
  open(scenario, before, after) {
    const data = document.querySelector(`script[data-story="${CSS.escape(scenario.id)}"]`);
    this.timelines = JSON.parse(data.textContent);
    $("name").textContent = scenario.name;
    $("badge").replaceChildren(verdict(scenario));
    $("shows").textContent = `${scenario.text} (${[scenario.mode, scenario.number ? `scenario ${scenario.number}` : ""].filter(Boolean).join(", ")})`;
    for (const [id, other] of [["before", before], ["after", after]]) {
      $(id).hidden = !other;
      if (other) [$(id).href, $(id).title] = [`#${other.id}`, other.name];
    }
    $("spec").replaceChildren(...this.timelines.map((t) => element("option", {}, (t.failure ? "✗ " : "✓ ") + t.title)));
    $("which").hidden = this.timelines.length < 2;
    const failed = Math.max(this.timelines.findIndex((t) => t.failure), 0);
    $("spec").selectedIndex = failed;
    if (this.timelines.length) this.tell(this.timelines[failed]);
  },

  tell(timeline) {
    $("failure").hidden = !timeline.failure;
    $("failure").textContent = timeline.failure || "";
    $("notes").replaceChildren(...(timeline.notes || []).map((n) => element("li", {}, n)));
    again($("repeat"), timeline.repeat || "");
    this.faults({ events: [], lanes: [], ...timeline });
    this.jobs(timeline);
    this.options.chosen = null;
    const drawn = (timeline.lanes || []).length > 0;
    for (const id of ["tools", "lanes", "detail", "legend", "keys"]) $(id).hidden = !drawn;
    this.layout = drawn ? new Layout(timeline) : null;
    events.fill({ ...timeline, lanes: timeline.lanes || [] });
    if (!drawn) return;
    $("canvas").setAttribute("aria-label", `Timeline of ${timeline.lanes.length} lanes, ${(timeline.events || []).length} events, ` +
      `${span(timeline.lasts)}. The table below has the same in words.`);
    $("lanes").scrollTop = 0;
    this.describe(null);
    this.draw();
  },

  jobs(timeline) {
    const jobs = (timeline.bars || []).filter((b) => timeline.lanes[b.lane].role === "jobs");
    const tries = new Map();
    for (const b of timeline.bars || []) {
      if (timeline.lanes[b.lane].role !== "worker" || b.row < 0) continue;
      const job = b.label.replace(/(\/\d+)?: attempt \d+$/, "");
      tries.set(job, (tries.get(job) || 0) + 1);
    }
    $("jobs").hidden = jobs.length === 0;
    const most = 12;
    if (jobs.length > most) { // what is worth a look first
      const trouble = (j) => (j.how === "SUCCEEDED" ? 0 : 1e6) + (tries.get(j.label) || 0);
      jobs.sort((a, b) => trouble(b) - trouble(a));
    }
    const n = (label, text) => element("td", { class: "n", "data-label": label }, text);
    $("jobs").tBodies[0].replaceChildren(...jobs.slice(0, most).map((j) => element("tr", {},
      element("td", {}, j.label),
      element("td", {}, j.how ? `${look(j.how).letter} ${j.how}` : `${j.phases[j.phases.length - 1].state}`),
      n("at", j.how ? instant(j.end) : "not yet"), n("attempts", String(tries.get(j.label) || 0)), element("td", {}, j.why || ""))));
    if (jobs.length > most) {
      $("jobs").tBodies[0].append(element("tr", {}, element("td", { colspan: 5, class: "quiet" }, `and ${jobs.length - most} more, on the lane of the jobs`)));
    }
  },

  // faults says what was ordered to go wrong, how often, and what that does.
  faults(timeline) {
    const all = new Map();
    for (const e of timeline.events || []) {
      if (!["fault", "killed"].includes(e.kind) || / is over$/.test(e.what)) continue;
      const what = e.what.replace(/^fault /, "").replace(/ begins$/, "");
      const on = /\b(?:worker|group) ([\w.-]+)/.exec(e.why || "")?.[1] || timeline.lanes[e.lane].name;
      const own = all.get(what) || { times: 0, on: new Map() };
      own.times++;
      own.on.set(on, (own.on.get(on) || 0) + 1);
      all.set(what, own);
    }
    $("faults").hidden = all.size === 0;
    const most = 12, rest = all.size - most;
    $("faults").tBodies[0].replaceChildren(...[...all].slice(0, most).map(([what, own]) => element("tr", {},
      element("td", {}, what), element("td", { class: "n", "data-label": "times" }, String(own.times)),
      element("td", {}, [...own.on].map(([on, n]) => (n === 1 ? on : `${on} ${n}×`)).join(", ")),
      element("td", {}, (run.sites || {})[what.replace(/^site /, "").split(/[: ]/)[0]] || ""))));
    if (rest > 0) {
      $("faults").tBodies[0].append(element("tr", {}, element("td", { colspan: 4, class: "quiet" }, `and ${rest} more, among the events`)));
    }
  },

  // redraw draws before the next picture, once however often it is asked to.
  redraw() {
    if (this.due || !this.layout) return;
    this.due = requestAnimationFrame(() => this.draw());
  },

  draw() {
    cancelAnimationFrame(this.due);
    this.due = 0;
    const scroller = $("lanes"), layout = this.layout;
    if (!layout || !scroller.clientWidth) return;
    layout.size(scroller.clientWidth);
    const whole = layout.height + axis, most = matchMedia("print").matches ? whole : Math.max(240, window.innerHeight * 0.72 - 2);
    const high = Math.min(whole, most);
    $("height").style.height = `${whole}px`;
    this.painter.paint(layout, Math.min(scroller.scrollTop, whole - high), high, this.options);
    if (!this.first) this.first = performance.now(); // since the page was asked for
    $("range").textContent = `${instant(Math.max(layout.from, 0))} to ${instant(Math.min(layout.to, layout.lasts))}` +
      (layout.hidden && this.options.calls ? ` · of ${layout.hidden} answered calls none is drawn: zoom in` : "");
  },

  hover(what) {
    $("canvas").style.cursor = what ? "pointer" : "";
    this.describe(what || this.options.chosen);
  },

  choose(what) {
    this.options.chosen = what;
    if (what?.event) {
      this.layout.show(what.event.at);
      const lane = this.layout.lanes[what.event.lane], scroller = $("lanes"), seen = scroller.clientHeight - axis;
      if (lane.y < scroller.scrollTop || lane.y + lane.height > scroller.scrollTop + seen) scroller.scrollTop = lane.y - seen / 3;
    }
    events.mark(what?.event);
    this.describe(what);
    this.redraw();
  },

  // step goes from event to event.
  step(by) {
    const all = events.found, at = all.indexOf(this.options.chosen?.event);
    const next = all[Math.min(Math.max(at < 0 && by < 0 ? all.length - 1 : at + by, 0), all.length - 1)];
    if (next) this.choose({ event: next });
  },

  // describe says what something is.
  describe(what) {
    const box = $("detail"), facts = (...pairs) => element("dl", {}, ...pairs.filter(([, text]) => text).map(([name, text]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, text))));
    if (what?.bar) {
      const b = what.bar;
      box.replaceChildren(element("b", {}, b.label || b.phases[0].state), b.how ? ` ${b.how}` : "", b.why ? `: ${b.why}` : "",
        facts(["on", this.layout.lanes[b.lane].name], ...b.phases.map((p) => [p.state.toLowerCase(), `at ${instant(p.at)}`]),
          ["ended", b.how && `at ${instant(b.end)}`], ["lasted", span(b.end - b.phases[0].at)],
          ["capacity free", b.freed && b.freed > b.end && `at ${instant(b.freed)}, ${span(b.freed - b.end)} later`]));
    } else if (what?.arrow) {
      const a = what.arrow, name = (i) => this.layout.lanes[i].name;
      box.replaceChildren(element("b", {}, a.text), ` ${a.fate}`, a.why ? `: ${a.why}` : "",
        facts(["from", name(a.from)], ["to", name(a.to)], ["sent", `at ${instant(a.sent)}`],
          ["took", a.ended > a.sent ? span(a.ended - a.sent) : ""]));
    } else if (what?.event) {
      const e = what.event;
      box.replaceChildren(element("b", {}, e.what), facts(["at", instant(e.at)], ["on", this.layout.lanes[e.lane].name], ["why", e.why]));
    } else if (what?.state) {
      box.replaceChildren(element("b", {}, `${what.lane.name} ${what.state.state}`), facts(["since", instant(what.state.at)], ["means", look(what.state.state).text]));
    } else {
      box.replaceChildren(element("span", { class: "quiet" }, "Point at a bar, a mark or an arrow to read what it is; click to keep it."));
    }
  },

  // explain fills the legend.
  explain() {
    const rows = [];
    for (const state of ["ASSIGNED", "BUILDING", "RUNNING", "SUCCEEDED", "FAILED", "WORKER_FAILED", "COSCHED_FAILED", "KILLED", "LOST", "LEADS"]) {
      const tile = element("canvas", { width: 34, height: 16 }), painter = new Painter(tile);
      painter.block(state, 0, 0, 34, 16);
      painter.ink.textBaseline = "middle";
      painter.ink.font = "600 11px system-ui, sans-serif";
      painter.ink.fillStyle = painter.colour("--ink");
      painter.ink.fillText(look(state).letter || "", 5, 8);
      rows.push(element("div", {}, tile, look(state).text));
    }
    const hatched = element("canvas", { width: 34, height: 16 }), painter = new Painter(hatched);
    painter.ink.globalAlpha = 0.55;
    painter.ink.fillStyle = painter.pattern("stripes", painter.colour("--quiet"));
    painter.ink.fillRect(0, 0, 34, 16);
    rows.push(element("div", {}, hatched, "it has ended, and its capacity is not free yet"));
    for (const sign of Object.values(signs)) {
      if (sign.glyph) rows.push(element("div", {}, element("span", { class: `glyph ${sign.bad ? "fault" : ""}` }, sign.glyph), sign.text));
    }
    for (const [sign, text] of [["|", "a heartbeat arrived"], ["×", "a heartbeat was lost"], ["→", "a call, from one participant to another"],
      ["⇢×", "a dashed arrow that ends in a cross: the request, or its reply, was lost"]]) {
      rows.push(element("div", {}, element("span", { class: "glyph" }, sign), text));
    }
    $("signs").replaceChildren(...rows);
  },
};
