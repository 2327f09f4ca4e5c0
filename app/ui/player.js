// The player: one canvas, one socket, one loop. Python's side of each message is app/protocol.py.

import { Choice } from "./choice.js";
import { PlayoutClock } from "./clock.js";
import { decodePicture, readHeader } from "./frames.js";
import { Hud } from "./hud.js";
import { Hands } from "./input.js";
import { Cadence, LatencyMeter } from "./latency.js";
import { Link } from "./link.js";

const SIGN_OF_LIFE_MS = 250;
const NUMBERS_MS = 250;

class Player {
  constructor() {
    this.hud = new Hud();
    this.picture = this.hud.canvas.getContext("2d", { alpha: false });
    this.latency = new LatencyMeter();
    this.cadence = new Cadence();
    this.clock = null; // made when the server says how fast its world runs
    this.seed = null;
    this.hands = new Hands(this.hud.canvas, (change) => this.#act(change));
    this.#forget();
    this.#setState("connecting");
  }

  /** Takes the stage, connects, and runs from then on. */
  begin(stage) {
    stage.append(this.hud.root);
    this.hud.play.onclick = () => (this.state === "paused" ? this.resume() : this.start());
    this.hud.onKeycap((code) => this.hands.press(code), (code) => this.hands.release(code));
    this.choice = new Choice({
      chosen: (picture) => this.#chosen(picture),
      trouble: (words) => this.hud.trouble(words),
    });
    this.#acceptDrops();
    this.link = new Link({
      text: (message) => this.#hear(message),
      frame: (buffer, arrived) => this.#receive(buffer, arrived),
      closed: () => this.#setState("reconnecting"),
    });
    document.addEventListener("visibilitychange", () => this.#seen(!document.hidden));
    setInterval(() => this.#signOfLife(), SIGN_OF_LIFE_MS);
    setInterval(() => this.hud.numbers(this.stats()), NUMBERS_MS);
    const loop = (now) => {
      this.#paint(now);
      requestAnimationFrame(loop);
    };
    requestAnimationFrame(loop);
  }

  start() {
    const start = this.choice.start;
    this.seed = start.seed;
    this.#command("start", start);
  }

  reset() {
    this.#command("reset");
  }

  stop() {
    this.link.send("stop");
  }

  pause() {
    if (this.state === "playing") this.link.send("pause");
  }

  resume() {
    if (this.state === "paused") this.#command("resume");
  }

  togglePause() {
    if (this.state === "paused") this.resume();
    else this.pause();
  }

  /** While a world is open its prompt changes from the next chunk on. */
  setPrompt(prompt) {
    if (this.isOpen) this.link.send("prompt", { prompt });
  }

  get isOpen() {
    return this.state === "playing" || this.state === "paused";
  }

  /** Everything measured here, for the display and for tests. */
  stats() {
    return {
      state: this.state,
      fps: this.cadence.fps(performance.now()),
      interval_stdev_ms: this.cadence.stdev(),
      chunk: this.shown?.chunk ?? null,
      frames: this.frames,
      latency_ms: this.latency.summary(),
      transport: "websocket",
      round_trip_ms: this.link?.roundTrip ?? null,
      pose: this.shown?.c2w ?? null,
      seed: this.seed,
      dropped: this.dropped,
      underruns: this.clock?.underruns ?? 0,
      spare: this.clock?.spare ?? 0,
    };
  }

  /** The hands go back to the world after a button was pressed. */
  #command(type, fields) {
    this.hud.clearTrouble();
    if (!this.link.send(type, fields)) this.hud.trouble("The server cannot be reached just now.");
    this.hud.canvas.focus({ preventScroll: true });
  }

  #setState(state, progress) {
    this.state = state;
    this.hud.show(state, progress);
    this.choice?.show(state);
    this.clock?.rewindTime();
    this.latency.clear();
    this.cadence.clear();
    if (state === "playing") this.#signOfLife();
  }

  /** Another world begins, or the same again: nothing of the old one may be shown. */
  #forget() {
    this.epoch = (this.epoch ?? 0) + 1;
    this.shown = null;
    this.frames = 0;
    this.dropped = 0;
    this.clock?.clear();
  }

  #hear(message) {
    if (message.type === "loading") this.#setState("loading", message.progress);
    else if (message.type === "ready") this.#ready(message);
    else if (message.type === "failed") this.hud.trouble(message.message);
    else if (message.type === "state") {
      if (message.state === "opening") this.#forget();
      this.#setState(message.state);
    }
  }

  #ready({ width, height, fps, chunk_frames: chunkFrames, keys }) {
    this.clock = new PlayoutClock(fps, chunkFrames);
    this.hands.bound = new Set(keys);
    this.hud.resize(width, height);
    this.#preview(this.preview);
    this.#setState("ready");
  }

  async #receive(buffer, arrived) {
    const epoch = this.epoch;
    const header = readHeader(buffer);
    const picture = await decodePicture(buffer);
    if (epoch === this.epoch) this.clock.push({ ...header, arrived, picture });
    else picture.close();
  }

  /** One animation frame: what was drawn is seen now, hands are read, the clock's frame is drawn. */
  #paint(now) {
    this.latency.seen(now);
    this.hands.flush();
    if (this.state !== "playing") return;
    const frame = this.clock.tick(now);
    if (!frame) return;
    this.picture.drawImage(frame.picture, 0, 0);
    frame.picture.close();
    this.link.send("ack", { frame: frame.number, spare: this.clock.spare });
    this.latency.draw(frame);
    this.cadence.mark(now);
    this.dropped += this.shown ? frame.number - this.shown.number - 1 : 0;
    this.shown = frame;
    this.frames += 1;
  }

  #act(change) {
    this.hud.light(this.hands.held);
    if (this.state !== "playing") return;
    this.#send(change);
    this.latency.acted(change.seq, change.at);
  }

  /** The server lets go of all keys when it hears nothing for a second. */
  #signOfLife() {
    if (this.state === "playing") this.#send(this.hands.state());
  }

  #send({ seq, keys, dx, dy, at }) {
    this.link.send("input", { seq, keys, dx, dy, at_ms: at });
  }

  /** A hidden page is shown nothing, so its world waits for it. */
  #seen(visible) {
    if (!visible) {
      this.resumeWhenSeen = this.state === "playing";
      this.hands.releaseAll();
      this.pause();
    } else if (this.resumeWhenSeen) {
      this.resumeWhenSeen = false;
      this.resume();
    }
  }

  #chosen(picture) {
    this.preview = picture;
    if (this.isOpen) this.start();
    else this.#preview(picture);
  }

  /** Before a world is open the stage shows where it would begin. */
  async #preview(source) {
    if (!source) return;
    const image = new Image();
    image.src = source;
    await image.decode().catch(() => {});
    if (this.isOpen || this.preview !== source || !image.width) return;
    const { width, height } = this.hud.canvas;
    const scale = Math.max(width / image.width, height / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    this.picture.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
  }

  #acceptDrops() {
    this.hud.root.addEventListener("dragover", (event) => event.preventDefault());
    this.hud.root.addEventListener("drop", (event) => {
      event.preventDefault();
      const [file] = event.dataTransfer.files;
      if (file) this.choice.upload(file);
    });
  }
}

let player = null;

/** Puts the player on a stage; called again, it moves to the new stage and goes on. */
export async function mount(stage) {
  await rendered(Choice.CONTROLS);
  if (player) {
    stage.append(player.hud.root);
    return;
  }
  player = new Player();
  window.world = player;
  player.begin(stage);
}

/** Gradio builds its components one after another, in no fixed order. */
function rendered(selectors) {
  const complete = () => selectors.every((selector) => document.querySelector(selector));
  return new Promise((resolve) => {
    if (complete()) return resolve();
    const observer = new MutationObserver(() => {
      if (!complete()) return;
      observer.disconnect();
      resolve();
    });
    observer.observe(document.body, { childList: true, subtree: true });
  });
}
