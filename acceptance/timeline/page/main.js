// The page shows the table, or the scenario that its address ends with.

const run = JSON.parse($("index").textContent);
$("what").textContent = run.title;
list.fill(run);
story.init();

function route() {
  const id = decodeURIComponent(location.hash.slice(1)), at = run.scenarios.findIndex((s) => s.id === id);
  $("overview").hidden = at >= 0;
  $("story").hidden = at < 0;
  document.title = `${at < 0 ? run.title : run.scenarios[at].name} · Iris`;
  if (at < 0) return;
  window.scrollTo(0, 0);
  story.open(run.scenarios[at], run.scenarios[at - 1], run.scenarios[at + 1]);
}
window.addEventListener("hashchange", () => {
  route();
  $("main").focus({ preventScroll: true });
});
route();
