// The playout clock: chunks come in bursts, pictures go out evenly. Its unit is the frame.

const MAX_STEP_MS = 100;
const CALM_MS = 10_000;

export class PlayoutClock {
  /** Keeps half a chunk in reserve, and a spare frame more after each time it ran dry. */
  constructor(fps, chunkFrames) {
    this.fps = fps;
    this.chunkFrames = chunkFrames;
    this.spare = 0;
    this.underruns = 0;
    this.clear();
  }

  /** Forgets all frames: another world begins. */
  clear() {
    for (const frame of this.frames ?? []) frame.picture.close();
    this.frames = [];
    this.position = null;
    this.newest = -1;
    this.shown = -1;
    this.flowing = false; // until the reserve is there for the first time
    this.dry = false;
    this.rewindTime();
  }

  /** Makes the next tick count no time, as after a pause. */
  rewindTime() {
    this.tickedAt = null;
    this.calmSince = null;
  }

  /** Takes a decoded frame; pictures may finish decoding out of order. */
  push(frame) {
    if (frame.number <= this.shown) {
      frame.picture.close();
      return;
    }
    const after = this.frames.findIndex((other) => other.number > frame.number);
    this.frames.splice(after < 0 ? this.frames.length : after, 0, frame);
    this.newest = Math.max(this.newest, frame.number);
  }

  /** Advances to `now` (ms) and returns the frame to draw, or null if the shown one stays. */
  tick(now) {
    if (!this.frames.length && this.position === null) return null;
    const elapsed = this.tickedAt === null ? 0 : Math.min(MAX_STEP_MS, now - this.tickedAt);
    this.tickedAt = now;
    this.position ??= this.frames[0].number;
    this.#advance(elapsed, now);
    return this.#newestDue();
  }

  get depth() {
    return this.position === null ? 0 : this.newest - this.position;
  }

  get target() {
    return Math.max(1, Math.floor(this.chunkFrames / 2)) + this.spare;
  }

  #advance(elapsed, now) {
    if (!this.flowing) {
      this.flowing = this.depth >= this.target;
      return;
    }
    const excess = this.depth - this.target;
    if (excess > 2 * this.chunkFrames) {
      this.position = this.newest - this.target;
      return;
    }
    const bend = Math.abs(excess) < 1 ? 0 : 0.05 * excess;
    const rate = Math.min(1.1, Math.max(0.9, 1 + bend));
    this.position += (elapsed * this.fps * rate) / 1000;
    this.#watch(now);
  }

  /** Holds the newest frame when there is no other, and adapts the spare frames. */
  #watch(now) {
    const dry = this.position >= this.newest + 1;
    if (dry) this.position = this.newest + 1;
    if (dry && !this.dry) {
      this.underruns += 1;
      this.spare = Math.min(this.spare + 1, this.chunkFrames);
    }
    this.dry = dry;
    if (this.calmSince === null || this.depth < 1) this.calmSince = now;
    if (now - this.calmSince > CALM_MS) {
      this.spare = Math.max(0, this.spare - 1);
      this.calmSince = now;
    }
  }

  #newestDue() {
    let due = null;
    while (this.frames.length && this.frames[0].number <= this.position) {
      due?.picture.close();
      due = this.frames.shift();
      this.shown = due.number;
    }
    return due;
  }
}
