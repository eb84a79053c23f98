// The table of scenarios.

const list = {
  // fill writes the table once; what is searched for hides rows of it.
  fill(run) {
    const failed = run.scenarios.filter((s) => s.failed > 0).length, all = run.scenarios.length;
    $("outcome").textContent = run.outcome || all === 0 ? run.outcome || run.title
      : failed === 0 ? `All ${all} ${all === 1 ? "scenario" : "scenarios"} survived` : `${failed} of ${all} scenarios failed`;
    $("run").textContent = [run.began, run.took ? `${span(run.took)} of real time` : ""].filter(Boolean).join(" · ");
    if (run.repeat) again($("rerun"), run.repeat);
    this.rows = run.scenarios.map((s) => ({ scenario: s, row: this.row(s), text: [s.name, s.text, s.sites, s.mode].join(" ").toLowerCase() }));
    $("scenarios").tBodies[0].append(...this.rows.map((r) => r.row));
    $("scenarios").hidden = $("filter").hidden = all === 0;
    for (const mode of new Set(run.scenarios.map((s) => s.mode))) $("mode").append(element("option", {}, mode));
    for (const c of run.counts || []) {
      $("counts").tBodies[0].append(element("tr", {}, element("td", {}, c.name), element("td", {}, c.text)));
      $("counts").hidden = false;
    }
    $("filter").addEventListener("input", () => this.sift());
    $("filter").addEventListener("submit", (e) => e.preventDefault());
    this.sift();
  },

  row(s) {
    const n = (label, text) => element("td", { class: "n", "data-label": label }, String(text));
    const faults = n("faults", s.faults);
    if (s.sites) faults.title = s.sites;
    return element("tr", {},
      element("td", { class: "n" }, s.number || "+"),
      element("td", {}, element("a", { href: `#${s.id}` }, s.name), element("small", {}, s.text)),
      element("td", {}, verdict(s)), element("td", {}, s.mode),
      n("specs", s.specs), faults, n("attempts", s.attempts), n("lasted", span(s.lasted)), n("real", s.took ? span(s.took) : ""));
  },

  sift() {
    const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const { scenario, row, text } of this.rows) {
      const fits = words.every((w) => text.includes(w)) && (!$("mode").value || $("mode").value === scenario.mode) &&
        (!$("verdict").value || ($("verdict").value === "failed") === scenario.failed > 0);
      row.hidden = !fits;
      found += fits;
    }
    $("found").textContent = found === this.rows.length ? "" : `${found} of ${this.rows.length}`;
  },
};

function verdict(s) {
  const failed = s.failed > 0;
  return element("span", { class: `verdict ${failed ? "failed" : "survived"}` },
    failed ? `✗ FAILED${s.specs > 1 ? ` (${s.failed} of ${s.specs})` : ""}` : "✓ survived");
}
