// Hands: keys, mouse and touch on the canvas, as a state with numbered changes.

const CLICK_PIXELS = 4;

export class Hands {
  /** `changed({seq, keys, dx, dy, at})` is called on each key edge, and by `flush` for the mouse. */
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.bound = new Set();
    this.held = new Set();
    this.seq = 0;
    this.moved = { dx: 0, dy: 0, at: 0 };
    this.#listenToKeys();
    this.#listenToPointer();
  }

  /** Holds a key, from the keyboard or a button on the screen. */
  press(code, at = performance.now()) {
    if (!this.bound.has(code) || this.held.has(code)) return;
    this.held.add(code);
    this.#tell(at);
  }

  release(code, at = performance.now()) {
    if (this.held.delete(code)) this.#tell(at);
  }

  /** Lets everything go: the player looks elsewhere. */
  releaseAll() {
    if (!this.held.size) return;
    this.held.clear();
    this.#tell(performance.now());
  }

  /** Tells of the mouse's way since the last call; once an animation frame is enough. */
  flush() {
    const { dx, dy, at } = this.moved;
    if (!dx && !dy) return;
    this.moved = { dx: 0, dy: 0, at: 0 };
    this.#tell(at, dx, dy);
  }

  /** The state once more, without a change: a sign of life. */
  state() {
    return { seq: this.seq, keys: [...this.held], dx: 0, dy: 0, at: performance.now() };
  }

  #tell(at, dx = 0, dy = 0) {
    this.seq += 1;
    this.changed({ seq: this.seq, keys: [...this.held], dx, dy, at });
  }

  #listenToKeys() {
    this.canvas.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !this.bound.has(event.code)) return;
      event.preventDefault();
      if (!event.repeat) this.press(event.code, event.timeStamp);
    });
    this.canvas.addEventListener("keyup", (event) => this.release(event.code, event.timeStamp));
    this.canvas.addEventListener("blur", () => this.releaseAll());
    window.addEventListener("blur", () => this.releaseAll());
  }

  /** Dragging turns; a click takes the mouse until Esc, where the browser allows it. */
  #listenToPointer() {
    let drag = null;
    let justLocked = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.focus({ preventScroll: true });
      if (document.pointerLockElement === this.canvas || !event.isPrimary) return;
      this.canvas.setPointerCapture(event.pointerId);
      drag = { x: event.clientX, y: event.clientY, length: 0, mouse: event.pointerType === "mouse" };
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (document.pointerLockElement === this.canvas) {
        if (!justLocked) this.#move(event.movementX, event.movementY, event.timeStamp);
        justLocked = false; // the first move after locking may jump by hundreds of pixels
      } else if (drag) {
        const dx = event.clientX - drag.x;
        const dy = event.clientY - drag.y;
        drag = { ...drag, x: event.clientX, y: event.clientY, length: drag.length + Math.hypot(dx, dy) };
        this.#move(dx, dy, event.timeStamp);
      }
    });
    this.canvas.addEventListener("pointerup", () => {
      if (drag?.mouse && drag.length < CLICK_PIXELS) lockPointer(this.canvas);
      drag = null;
    });
    this.canvas.addEventListener("pointercancel", () => (drag = null));
    document.addEventListener("pointerlockchange", () => (justLocked = true));
  }

  #move(dx, dy, at) {
    this.moved = { dx: this.moved.dx + dx, dy: this.moved.dy + dy, at };
  }
}

/** Takes the mouse, without its acceleration where that is supported; a refusal leaves dragging. */
async function lockPointer(canvas) {
  try {
    await canvas.requestPointerLock?.({ unadjustedMovement: true });
  } catch (refusal) {
    if (refusal.name !== "NotSupportedError") return;
    await canvas.requestPointerLock().catch(() => {});
  }
}
