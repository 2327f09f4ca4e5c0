// From key to photon: how long each action took until its first frame was on the screen, and where.

const KEPT = 300;
const PARTS = ["total", "wait", "generate", "deliver", "paint"];

export class LatencyMeter {
  constructor() {
    this.samples = [];
    this.clear();
  }

  /** Forgets actions that no frame will answer any more. */
  clear() {
    this.pending = [];
    this.drawn = null;
  }

  /** An action numbered `seq` happened at `at` (ms). */
  acted(seq, at) {
    this.pending.push({ seq, at });
    if (this.pending.length > KEPT) this.pending.shift();
  }

  /** A frame was drawn; it is seen at the next animation frame. */
  draw(frame) {
    this.drawn ??= frame;
    this.drawn = frame.seq > this.drawn.seq ? frame : this.drawn;
  }

  /** An animation frame begins at `now` (ms): what was drawn before is on the screen. */
  seen(now) {
    const frame = this.drawn;
    this.drawn = null;
    while (frame && this.pending.length && this.pending[0].seq <= frame.seq) {
      const { at } = this.pending.shift();
      const total = now - at;
      const paint = now - frame.arrived;
      const generate = frame.generated;
      const deliver = frame.arrived - frame.at - frame.waited - frame.generated;
      this.samples.push({ total, wait: total - generate - deliver - paint, generate, deliver, paint });
      if (this.samples.length > KEPT) this.samples.shift();
    }
  }

  /** Milliseconds, or nulls before the first action: p50 and p95 of all, medians of the parts. */
  summary() {
    const of = (part, share) => quantile(this.samples.map((sample) => sample[part]), share);
    const medians = PARTS.slice(1).map((part) => [part, of(part, 0.5)]);
    return {
      last: this.samples.at(-1)?.total ?? null,
      p50: of("total", 0.5),
      p95: of("total", 0.95),
      ...Object.fromEntries(medians),
    };
  }
}

/** When frames were presented, from which their rate and evenness follow. */
export class Cadence {
  constructor() {
    this.times = [];
  }

  clear() {
    this.times = [];
  }

  mark(now) {
    this.times.push(now);
    if (this.times.length > 1024) this.times.shift();
  }

  /** Frames a second over the last two seconds. */
  fps(now) {
    const recent = this.times.filter((time) => now - time < 2000);
    return recent.length < 2 ? 0 : (1000 * (recent.length - 1)) / (recent.at(-1) - recent[0]);
  }

  /** Standard deviation of the time between frames, in ms. */
  stdev() {
    const gaps = this.times.slice(1).map((time, index) => time - this.times[index]);
    if (!gaps.length) return null;
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    return Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  }
}

function quantile(values, share) {
  if (!values.length) return null;
  const ordered = [...values].sort((a, b) => a - b);
  return ordered[Math.ceil(share * ordered.length) - 1];
}
