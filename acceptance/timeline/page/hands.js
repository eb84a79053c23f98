// What a reader does to the timeline, with a mouse, fingers or keys.

// hands lets them: `timeline` has layout, redraw, choose(what), step(by).
function hands(canvas, scroller, timeline) {
  const place = (e) => {
    const box = canvas.getBoundingClientRect();
    return { x: e.clientX - box.left, y: e.clientY - box.top - axis + scroller.scrollTop };
  };
  const fingers = new Map();
  let moved = 0;

  canvas.addEventListener("wheel", (e) => {
    const layout = timeline.layout;
    if (e.ctrlKey || e.metaKey || document.activeElement === canvas && !e.shiftKey && !e.deltaX) {
      e.preventDefault();
      layout.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) * 0.006), Math.max(place(e).x, layout.gutter));
      timeline.redraw();
    } else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
      e.preventDefault();
      layout.pan(((e.deltaX || e.deltaY) * (layout.to - layout.from)) / (layout.width - layout.gutter));
      timeline.redraw();
    }
  }, { passive: false });

  canvas.addEventListener("pointerdown", (e) => {
    canvas.setPointerCapture(e.pointerId);
    fingers.set(e.pointerId, place(e));
    moved = 0;
    canvas.classList.add("held");
  });
  canvas.addEventListener("pointermove", (e) => {
    const layout = timeline.layout, before = fingers.get(e.pointerId), now = place(e);
    if (!before) {
      timeline.hover(layout.hit(now.x, now.y));
      return;
    }
    const others = [...fingers.entries()].filter(([id]) => id !== e.pointerId);
    if (others.length) { // two fingers pinch
      const other = others[0][1], wide = Math.abs(before.x - other.x);
      if (wide > 8) layout.zoom(wide / Math.max(Math.abs(now.x - other.x), 8), (now.x + other.x) / 2);
    } else {
      layout.pan(((before.x - now.x) * (layout.to - layout.from)) / (layout.width - layout.gutter));
      if (e.pointerType === "mouse") scroller.scrollTop += before.y - now.y;
    }
    moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    fingers.set(e.pointerId, place(e));
    timeline.redraw();
  });
  const up = (e) => {
    fingers.delete(e.pointerId);
    canvas.classList.remove("held");
    if (e.type === "pointerup" && moved < 5) {
      const { x, y } = place(e);
      timeline.choose(timeline.layout.hit(x, y));
    }
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => timeline.hover(null));

  canvas.addEventListener("keydown", (e) => {
    const layout = timeline.layout, wide = layout.to - layout.from, middle = (layout.width + layout.gutter) / 2;
    const does = {
      "+": () => layout.zoom(0.7, middle), "=": () => layout.zoom(0.7, middle), "-": () => layout.zoom(1 / 0.7, middle),
      ArrowLeft: () => layout.pan(-wide / 8), ArrowRight: () => layout.pan(wide / 8), 0: () => layout.fit(),
      ArrowUp: () => timeline.step(-1), ArrowDown: () => timeline.step(1),
      Home: () => layout.pan(-layout.lasts * 2), End: () => layout.pan(layout.lasts * 2),
      Escape: () => timeline.choose(null),
    }[e.key];
    if (!does || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    does();
    timeline.redraw();
  });

  const button = (id, act) => $(id).addEventListener("click", () => {
    act(timeline.layout, (timeline.layout.width + timeline.layout.gutter) / 2);
    timeline.redraw();
  });
  button("in", (layout, middle) => layout.zoom(0.6, middle));
  button("out", (layout, middle) => layout.zoom(1 / 0.6, middle));
  button("left", (layout) => layout.pan((layout.from - layout.to) / 4));
  button("right", (layout) => layout.pan((layout.to - layout.from) / 4));
  button("fit", (layout) => layout.fit());
}
