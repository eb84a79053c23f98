// Painting a layout on the canvas.

class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.ink = canvas.getContext("2d");
    this.patterns = new Map();
    this.learn();
  }

  // learn reads the colours of the page, which follow what its reader prefers.
  learn() {
    const style = getComputedStyle(document.documentElement);
    this.colours = new Map();
    this.colour = (name) => {
      if (!this.colours.has(name)) this.colours.set(name, style.getPropertyValue(name).trim());
      return this.colours.get(name);
    };
    this.patterns.clear();
  }

  // paint draws what of the layout is seen, from `top` on and so high.
  paint(layout, top, high, options) {
    const { canvas, ink } = this, scale = window.devicePixelRatio || 1, width = layout.width;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(high * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(high * scale);
      canvas.style.height = `${high}px`;
    }
    ink.setTransform(scale, 0, 0, scale, 0, 0);
    ink.fillStyle = this.colour("--back");
    ink.fillRect(0, 0, width, high);
    ink.textBaseline = "middle";
    const seen = layout.lanes.filter((l) => l.y + l.height + gap > top && l.y < top + high);
    ink.save();
    ink.beginPath();
    ink.rect(layout.gutter, axis, width - layout.gutter, high - axis);
    ink.clip();
    ink.translate(0, axis - top);
    this.grid(layout, top, high);
    for (const lane of seen) this.behind(layout, lane);
    for (const lane of seen) this.bars(layout, lane);
    if (options.beats) for (const lane of seen) this.beats(layout, lane);
    this.arrows(layout, top, high, options);
    for (const lane of seen) this.marks(layout, lane);
    this.chosen(layout, options.chosen);
    ink.restore();
    this.names(layout, seen, top, high);
    this.axis(layout, high);
  }

  // step is the distance of the lines of the axis: a round one, about so many pixels.
  step(layout) {
    const least = ((layout.to - layout.from) / (layout.width - layout.gutter)) * 90;
    const round = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5, 144e5, 432e5, 864e5];
    return round.find((s) => s >= least) || Math.ceil(least / 864e5) * 864e5;
  }

  grid(layout, top, high) {
    const { ink } = this, step = this.step(layout);
    ink.strokeStyle = this.colour("--line");
    ink.lineWidth = 1;
    ink.globalAlpha = 0.6;
    ink.beginPath();
    for (let at = Math.max(0, Math.ceil(layout.from / step) * step); at <= Math.min(layout.to, layout.lasts); at += step) {
      const x = Math.round(layout.x(at)) + 0.5;
      ink.moveTo(x, top);
      ink.lineTo(x, top + high);
    }
    ink.stroke();
    ink.globalAlpha = 1;
    const end = layout.x(layout.lasts);
    ink.fillStyle = this.colour("--raise");
    ink.fillRect(end, top, layout.width - end, high);
  }

  axis(layout, high) {
    const { ink } = this, step = this.step(layout);
    ink.fillStyle = this.colour("--raise");
    ink.fillRect(0, 0, layout.width, axis);
    ink.fillStyle = this.colour("--quiet");
    ink.font = "11px system-ui, 'Liberation Sans', sans-serif";
    ink.textAlign = "left";
    for (let at = Math.max(0, Math.ceil(layout.from / step) * step); at <= Math.min(layout.to, layout.lasts); at += step) {
      const x = layout.x(at);
      const text = instant(at);
      if (x >= layout.gutter - 1 && x + 3 + ink.measureText(text).width < layout.width) ink.fillText(text, x + 3, axis / 2);
    }
    ink.strokeStyle = this.colour("--line");
    ink.beginPath();
    ink.moveTo(0, axis + 0.5);
    ink.lineTo(layout.width, axis + 0.5);
    ink.moveTo(layout.gutter + 0.5, 0);
    ink.lineTo(layout.gutter + 0.5, high);
    ink.stroke();
  }

  names(layout, seen, top, high) {
    const { ink } = this;
    ink.save();
    ink.beginPath();
    ink.rect(0, axis, layout.gutter, high - axis);
    ink.clip();
    ink.fillStyle = this.colour("--back");
    ink.fillRect(0, axis, layout.gutter, high - axis);
    ink.translate(0, axis - top);
    ink.textAlign = "left";
    for (const lane of seen) {
      const inset = lane.role === "slice" ? 8 : lane.role === "worker" && layout.lanes.some((l) => l.role === "slice") ? 14 : 8;
      ink.fillStyle = this.colour("--front");
      ink.font = `${lane.role === "slice" ? "600 " : ""}12.5px system-ui, 'Liberation Sans', sans-serif`;
      ink.fillText(this.cut(lane.name, layout.gutter - inset - 6), inset, lane.y + markY);
      if (lane.height > strip + 12 && lane.role !== "jobs") {
        ink.fillStyle = this.colour("--quiet");
        ink.font = "11px system-ui, 'Liberation Sans', sans-serif";
        ink.fillText(lane.role, inset, lane.y + strip + 8);
      }
      ink.strokeStyle = this.colour("--line");
      ink.beginPath();
      ink.moveTo(0, lane.y + lane.height + gap / 2 + 0.5);
      ink.lineTo(layout.gutter, lane.y + lane.height + gap / 2 + 0.5);
      ink.stroke();
    }
    ink.restore();
  }

  // cut shortens a text to so many pixels, in its middle.
  cut(text, width) {
    const { ink } = this;
    if (ink.measureText(text).width <= width) return text;
    for (let keep = text.length - 1; keep > 1; keep--) {
      const short = `${text.slice(0, Math.ceil(keep / 3))}…${text.slice(text.length - Math.floor((keep * 2) / 3))}`;
      if (ink.measureText(short).width <= width) return short;
    }
    return "";
  }

  // pattern is what a state looks like without its colour.
  pattern(kind, colour) {
    const key = kind + colour;
    if (!this.patterns.has(key)) {
      const tile = document.createElement("canvas"), n = 8;
      tile.width = tile.height = n;
      const ink = tile.getContext("2d");
      ink.strokeStyle = ink.fillStyle = colour;
      ink.lineWidth = 1.4;
      ink.beginPath();
      if (kind === "dots") {
        ink.fillRect(1, 1, 1.6, 1.6);
        ink.fillRect(5, 5, 1.6, 1.6);
      } else {
        for (const d of [-n, 0, n]) {
          ink.moveTo(d - 1, n + 1);
          ink.lineTo(d + n + 1, -1);
          if (kind === "crosses") {
            ink.moveTo(d - 1, -1);
            ink.lineTo(d + n + 1, n + 1);
          }
        }
        ink.stroke();
      }
      this.patterns.set(key, this.ink.createPattern(tile, "repeat"));
    }
    return this.patterns.get(key);
  }

  // block paints a state from one x to another.
  block(state, x, y, wide, tall, faint) {
    const { ink } = this, own = look(state);
    ink.fillStyle = this.colour(own.colour);
    ink.fillRect(x, y, wide, tall);
    if (own.pattern && wide > 3) {
      ink.globalAlpha = faint ? 0.18 : 0.35;
      ink.fillStyle = this.pattern(own.pattern, this.colour("--ink"));
      ink.fillRect(x, y, wide, tall);
      ink.globalAlpha = 1;
    }
  }

  // behind paints what a participant itself was, over the height of its lane.
  behind(layout, lane) {
    const { ink } = this;
    ink.strokeStyle = this.colour("--line");
    ink.beginPath();
    ink.moveTo(layout.gutter, lane.y + lane.height + gap / 2 + 0.5);
    ink.lineTo(layout.width, lane.y + lane.height + gap / 2 + 0.5);
    ink.stroke();
    for (const bar of lane.bars) {
      if (bar.row >= 0) continue;
      bar.phases.forEach((phase, i) => {
        const x = layout.x(phase.at), to = layout.x(bar.phases[i + 1]?.at ?? bar.end);
        if (to < layout.gutter || x > layout.width) return;
        this.block(phase.state, x, lane.y, Math.max(to - x, 1), lane.height, true);
        const word = phase.state.toLowerCase();
        ink.font = "11px system-ui, 'Liberation Sans', sans-serif";
        if (phase.state === "LOST" && to - Math.max(x, layout.gutter) > 150) {
          ink.textAlign = "right";
          ink.fillStyle = this.colour("--quiet");
          ink.fillText(word, Math.min(to, layout.width) - 5, lane.y + lane.height - 8);
          ink.textAlign = "left";
        }
      });
    }
  }

  bars(layout, lane) {
    const { ink } = this, last = [];
    for (const bar of lane.bars) {
      if (bar.row < 0) continue;
      const x = layout.x(bar.phases[0].at), end = layout.x(bar.end), to = layout.x(layout.until(bar));
      if (to < layout.gutter - 20 || x > layout.width) continue;
      const y = layout.rowY(lane, bar.row), tall = high - 4;
      if (to - x < 1) { // of many within one pixel, one is painted
        if (last[bar.row] === Math.round(x)) continue;
        last[bar.row] = Math.round(x);
      }
      bar.phases.forEach((phase, i) => {
        const a = layout.x(phase.at), b = layout.x(bar.phases[i + 1]?.at ?? bar.end);
        if (b - a < 0.4 && i < bar.phases.length - 1) return;
        this.block(phase.state, a, y, Math.max(b - a, 2), tall);
      });
      if (to > end + 1) {
        ink.globalAlpha = 0.55;
        ink.fillStyle = this.pattern("stripes", this.colour("--quiet"));
        ink.fillRect(end, y, to - end, tall);
        ink.globalAlpha = 1;
        ink.strokeStyle = this.colour("--quiet");
        ink.lineWidth = 1;
        ink.strokeRect(end + 0.5, y + 0.5, to - end - 1, tall - 1);
      }
      const how = bar.how && bar.how !== "OVER" ? look(bar.how) : null;
      if (how) {
        ink.fillStyle = this.colour(how.colour);
        ink.fillRect(Math.max(end - 4, x), y, Math.min(4, Math.max(end - x, 2)), tall);
      }
      this.caption(layout, bar, how, x, end, to, y, tall);
    }
  }

  // caption writes what a bar is into it, or beside it where there is room.
  caption(layout, bar, how, x, end, to, y, tall) {
    const { ink } = this;
    ink.font = "600 11px system-ui, 'Liberation Sans', sans-serif";
    const from = Math.max(x, layout.gutter), room = end - from - 12;
    const phase = bar.phases[bar.phases.length - 1], letter = how ? how.letter : look(phase.state).letter || "";
    const plain = bar.label || "", short = plain.replace(/^.*: attempt /, "attempt ").replace("attempt ", "a");
    const full = how ? `${letter} ${plain}` : plain;
    ink.textAlign = "left";
    for (const text of [full, `${letter} ${short}`, letter]) {
      if (text && ink.measureText(text).width <= room) {
        ink.fillStyle = this.colour("--ink");
        ink.fillText(text, from + 5, y + tall / 2 + 0.5);
        return;
      }
    }
    if (end < layout.gutter || !letter) return;
    const free = this.room(layout, bar, to);
    for (const text of [full, `${letter} ${short}`, letter]) {
      if (ink.measureText(text).width + 8 <= free) {
        ink.fillStyle = this.colour("--front");
        ink.fillText(text, to + 4, y + tall / 2 + 0.5);
        return;
      }
    }
  }

  // room is how many pixels are free behind a bar in its row.
  room(layout, bar, to) {
    if (bar.next === undefined) { // found once
      const row = layout.lanes[bar.lane].bars.filter((b) => b.row === bar.row);
      row.forEach((b, i) => { b.next = row[i + 1]?.phases[0].at ?? null; });
    }
    return (bar.next === null ? layout.width : Math.min(layout.x(bar.next), layout.width)) - to;
  }

  beats(layout, lane) {
    const { ink } = this, y = lane.y + tickY;
    ink.strokeStyle = this.colour("--call");
    ink.lineWidth = 1;
    ink.beginPath();
    const crosses = [];
    let last = -9;
    for (const beat of lane.beats) {
      if (!beat.count) {
        crosses.push(layout.x(beat.first));
        continue;
      }
      const every = beat.every || 0, wide = layout.x(every) - layout.x(0);
      if (every && wide < 4) { // so dense that they are a band
        ink.moveTo(Math.max(layout.x(beat.first), layout.gutter), y);
        ink.lineTo(Math.min(layout.x(beat.first + every * (beat.count - 1)), layout.width), y);
        continue;
      }
      let i = every ? Math.max(0, Math.floor((layout.from - beat.first) / every)) : 0;
      for (; i < beat.count; i++) {
        const x = layout.x(beat.first + every * i);
        if (x > layout.width) break;
        if (x - last < 1.5) continue;
        last = x;
        ink.moveTo(x, y - 3);
        ink.lineTo(x, y + 3);
      }
    }
    ink.stroke();
    ink.strokeStyle = this.colour("--fault");
    ink.lineWidth = 1.6;
    ink.beginPath();
    last = -9;
    for (const x of crosses) {
      if (x - last < 2 || x < layout.gutter || x > layout.width) continue;
      last = x;
      ink.moveTo(x - 3, y - 3);
      ink.lineTo(x + 3, y + 3);
      ink.moveTo(x + 3, y - 3);
      ink.lineTo(x - 3, y + 3);
    }
    ink.stroke();
  }

  arrows(layout, top, high, options) {
    const taken = new Set(), many = 100; // answered calls beyond which only the others are drawn
    layout.drawn = [];
    if (!options.calls) return;
    const well = layout.arrows.reduce((n, a) => n + (a.fate === "answered" && a.sent >= layout.from && a.sent <= layout.to), 0);
    layout.hidden = well > many * Math.max(1, layout.width / 800) ? well : 0;
    for (const arrow of layout.arrows) {
      const x = layout.x(arrow.sent);
      if (arrow.ended < layout.from || x > layout.width) continue;
      const a = layout.middle(arrow.from), b = layout.middle(arrow.to);
      if (Math.max(a, b) < top || Math.min(a, b) > top + high) continue;
      const fine = arrow.fate === "answered";
      if (fine && layout.hidden) continue;
      const place = `${Math.round(x / (fine ? 4 : 2))} ${arrow.from} ${arrow.to} ${fine}`; // of many at one place, one is drawn
      if (taken.has(place)) continue;
      taken.add(place);
      layout.drawn.push(arrow);
      this.arrow(layout, arrow, a, b);
    }
  }

  arrow(layout, arrow, a, b) {
    const { ink } = this, x = layout.x(arrow.sent), way = Math.sign(b - a) || 1;
    const bad = arrow.fate !== "answered", asked = layout.x(arrow.arrived);
    ink.strokeStyle = ink.fillStyle = this.colour(bad ? "--fault" : "--call");
    ink.globalAlpha = bad ? 1 : 0.75;
    ink.lineWidth = bad ? 1.5 : 1;
    const line = (x1, y1, x2, y2, dashed) => {
      ink.setLineDash(dashed ? [4, 3] : []);
      ink.beginPath();
      ink.moveTo(x1, y1);
      ink.lineTo(x2, y2);
      ink.stroke();
      ink.setLineDash([]);
    };
    const cross = (cx, cy) => {
      ink.beginPath();
      ink.moveTo(cx - 3.5, cy - 3.5);
      ink.lineTo(cx + 3.5, cy + 3.5);
      ink.moveTo(cx + 3.5, cy - 3.5);
      ink.lineTo(cx - 3.5, cy + 3.5);
      ink.stroke();
    };
    const head = (hx, hy, to) => {
      ink.beginPath();
      ink.moveTo(hx, hy);
      ink.lineTo(hx - 3.5, hy - to * 6);
      ink.lineTo(hx + 3.5, hy - to * 6);
      ink.fill();
    };
    if (arrow.fate === "request lost") {
      line(x, a, x, b - way * 14, true);
      cross(x, b - way * 12);
    } else {
      line(x, a, asked, b - way * 4, false);
      head(asked, b - way * 2, way);
      if (bad) {
        const back = layout.x(arrow.ended) + (arrow.ended === arrow.arrived ? 5 : 0);
        if (arrow.fate === "reply lost") {
          line(asked, b, back, a + way * 14, true);
          cross(back, a + way * 12);
        } else {
          line(asked, b, back, a + way * 4, true);
          head(back, a + way * 2, -way);
        }
      }
    }
    ink.globalAlpha = 1;
  }

  marks(layout, lane) {
    const { ink } = this, last = {};
    ink.textAlign = "center";
    for (const event of lane.events) {
      const x = layout.x(event.at), sign = signs[event.kind];
      if (x < layout.gutter - 8 || x > layout.width + 8) continue;
      if (x - (last[event.kind] ?? -99) < 5) continue;
      last[event.kind] = x;
      ink.font = "13px system-ui, 'DejaVu Sans', sans-serif";
      ink.strokeStyle = this.colour("--back");
      ink.lineWidth = 3;
      ink.strokeText(sign.glyph, x, lane.y + markY);
      ink.fillStyle = this.colour(sign.bad ? "--fault" : "--front");
      ink.fillText(sign.glyph, x, lane.y + markY);
    }
    ink.textAlign = "left";
  }

  // chosen rings what the reader looks at.
  chosen(layout, what) {
    if (!what) return;
    const { ink } = this;
    ink.strokeStyle = this.colour("--link");
    ink.lineWidth = 2;
    if (what.bar) {
      const lane = layout.lanes[what.bar.lane], x = layout.x(what.bar.phases[0].at);
      ink.strokeRect(x - 2, layout.rowY(lane, what.bar.row) - 2, Math.max(layout.x(layout.until(what.bar)) - x, 2) + 4, high);
    } else if (what.event) {
      const lane = layout.lanes[what.event.lane], x = layout.x(what.event.at);
      ink.beginPath();
      ink.arc(x, lane.y + markY, 9, 0, 7);
      ink.stroke();
      ink.globalAlpha = 0.5;
      ink.lineWidth = 1;
      ink.beginPath();
      ink.moveTo(x, 0);
      ink.lineTo(x, layout.height);
      ink.stroke();
      ink.globalAlpha = 1;
    } else if (what.arrow) {
      const x = layout.x(what.arrow.sent), a = layout.middle(what.arrow.from), b = layout.middle(what.arrow.to);
      ink.strokeRect(x - 7, Math.min(a, b) - 4, layout.x(what.arrow.arrived) - x + 14, Math.abs(b - a) + 8);
    }
  }
}
