// Where everything of a timeline is: lanes from top to bottom, time from left to right.

// The axis; a lane: its strip of marks with the ticks below them, each row of bars, the space after it.
const axis = 26, strip = 24, high = 19, gap = 7, markY = 9, tickY = 20;

// Layout is a timeline laid out. Its view is from `from` to `to`, in milliseconds.
class Layout {
  constructor(timeline) {
    this.timeline = timeline;
    this.lasts = Math.max(timeline.lasts, 1);
    let y = 4;
    this.lanes = timeline.lanes.map((lane, index) => {
      const laid = { ...lane, index, y, height: strip + lane.rows * high + (lane.rows ? 5 : 3), bars: [], events: [], beats: [] };
      y += laid.height + gap;
      return laid;
    });
    this.height = y;
    for (const bar of timeline.bars || []) this.lanes[bar.lane].bars.push(bar);
    for (const beat of timeline.beats || []) this.lanes[beat.lane].beats.push(beat);
    (timeline.events || []).forEach((event, index) => {
      event.index = index;
      if (signs[event.kind]?.glyph && !signs[event.kind].quiet) this.lanes[event.lane].events.push(event);
    });
    this.arrows = timeline.arrows || [];
    this.fit();
  }

  // fit shows all, with a little room after the end.
  fit() {
    this.from = -0.01 * this.lasts;
    this.to = 1.03 * this.lasts;
  }

  // size is told how wide the canvas is.
  size(width) {
    this.width = width;
    this.gutter = width < 560 ? 86 : 150;
  }

  x(at) { return this.gutter + ((at - this.from) / (this.to - this.from)) * (this.width - this.gutter); }
  at(x) { return this.from + ((x - this.gutter) / (this.width - this.gutter)) * (this.to - this.from); }

  // zoom changes how much is seen, the instant at x staying where it is.
  zoom(factor, x) {
    const still = this.at(x), wide = Math.min(Math.max((this.to - this.from) * factor, 0.05), 1.3 * this.lasts);
    const share = (still - this.from) / (this.to - this.from);
    this.from = still - share * wide;
    this.to = this.from + wide;
    this.pan(0);
  }

  // pan moves by so many milliseconds, and never out of sight of the story.
  pan(by) {
    const wide = this.to - this.from;
    this.from = Math.min(Math.max(this.from + by, -0.6 * wide), this.lasts - 0.4 * wide);
    this.to = this.from + wide;
  }

  // show brings an instant and a lane into view.
  show(at) {
    const wide = this.to - this.from;
    if (at < this.from + 0.05 * wide || at > this.to - 0.05 * wide) this.pan(at - wide / 2 - this.from);
  }

  middle(lane) { return this.lanes[lane].y + markY; }
  rowY(lane, row) { return lane.y + strip + row * high; }
  until(bar) { return Math.max(bar.end, bar.freed || 0); }

  // hit is what is at a point: a mark, a bar or an arrow, the nearest to it.
  hit(x, y) {
    const lane = this.lanes.find((l) => y >= l.y && y < l.y + l.height);
    if (lane && x > this.gutter) {
      let best = null, near = 9;
      if (y < lane.y + strip) {
        for (const event of lane.events) {
          const d = Math.abs(this.x(event.at) - x);
          if (d < near) [near, best] = [d, { event }];
        }
        if (best) return best;
      }
      const row = Math.floor((y - lane.y - strip) / high);
      near = 5;
      for (const bar of lane.bars) {
        if (bar.row !== row) continue;
        const from = this.x(bar.phases[0].at), to = this.x(this.until(bar));
        const d = x < from ? from - x : x > to ? x - to : 0;
        if (d < near) [near, best] = [d, { bar }];
      }
      if (best) return best;
    }
    let best = null, near = 5;
    for (const arrow of this.drawn || []) {
      const top = Math.min(this.middle(arrow.from), this.middle(arrow.to)), low = Math.max(this.middle(arrow.from), this.middle(arrow.to));
      if (y < top - 3 || y > low + 3) continue;
      const down = low === top ? 0 : (y - this.middle(arrow.from)) / (this.middle(arrow.to) - this.middle(arrow.from));
      const d = Math.abs(this.x(arrow.sent) + (this.x(arrow.arrived) - this.x(arrow.sent)) * down - x);
      if (d < near) [near, best] = [d, { arrow }];
    }
    if (!best && lane && x > this.gutter) {
      const whole = lane.bars.find((b) => b.row < 0);
      const at = this.at(x);
      const phase = whole?.phases.findLast((p) => p.at <= at);
      if (phase && at <= this.lasts) best = { state: phase, lane };
    }
    return best;
  }
}
