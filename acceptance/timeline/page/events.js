// The events as a table: the timeline in words.

const events = {
  page: 200,

  init(choose) {
    this.choose = choose;
    $("sift").addEventListener("input", () => this.sift());
    $("sift").addEventListener("submit", (e) => e.preventDefault());
    $("more").addEventListener("click", () => this.add(this.page));
    window.addEventListener("beforeprint", () => this.add(3000));
  },

  fill(timeline) {
    this.timeline = timeline;
    this.all = timeline.events || [];
    $("sought").value = "";
    const kinds = [...new Set(this.all.map((e) => e.kind))];
    $("kind").replaceChildren(element("option", { value: "" }, "everything"),
      ...kinds.map((k) => element("option", { value: k }, { call: "failed calls", leads: "leaders", lost: "lost workers" }[k] || `${k}`)));
    this.sift();
  },

  sift() {
    const words = $("sought").value.toLowerCase().split(/\s+/).filter(Boolean), kind = $("kind").value;
    this.found = this.all.filter((e) => (!kind || e.kind === kind) &&
      words.every((w) => `${e.what} ${e.why || ""} ${this.timeline.lanes[e.lane].name}`.toLowerCase().includes(w)));
    this.shown = 0;
    $("events").tBodies[0].replaceChildren();
    this.add(this.page);
    $("events-found").textContent = this.found.length === this.all.length ? `${this.all.length} events` : `${this.found.length} of ${this.all.length}`;
  },

  // add shows so many more.
  add(n) {
    const body = $("events").tBodies[0];
    if (!this.found) return;
    body.append(...this.found.slice(this.shown, this.shown + n).map((e) => this.row(e)));
    this.shown = Math.min(this.found.length, this.shown + n);
    $("more").hidden = this.shown === this.found.length;
    $("more").textContent = `show more (${this.found.length - this.shown})`;
  },

  row(e) {
    const sign = signs[e.kind] || {}, bad = /FAILED|UNSCHEDULABLE|REFUSED|PREEMPTED/.test(e.what);
    const button = element("button", { type: "button", title: "show it on the timeline" }, instant(e.at));
    button.addEventListener("click", () => this.choose({ event: e }));
    const row = element("tr", { class: sign.bad ? "fault" : bad ? "bad" : null },
      element("td", { class: "n" }, button), element("td", {}, this.timeline.lanes[e.lane]?.name),
      element("td", {}, element("span", { class: `glyph ${sign.bad ? "fault" : ""}`, "aria-hidden": "true" }, sign.glyph || (bad ? "✗" : "·")), e.what),
      element("td", {}, e.why || ""));
    row.event = e;
    return row;
  },

  // mark highlights the row of an event.
  mark(event) {
    for (const row of $("events").tBodies[0].rows) row.classList.toggle("on", row.event === event);
  },
};
