// What lies over the canvas: state, numbers, keys, errors. It shows; it decides nothing.

const KEYS = [
  ["KeyW", "W", "Walk forward", "w"],
  ["KeyA", "A", "Walk left", "a"],
  ["KeyS", "S", "Walk back", "s"],
  ["KeyD", "D", "Walk right", "d"],
  ["ArrowUp", "↑", "Look up", "w"],
  ["ArrowLeft", "←", "Turn left", "a"],
  ["ArrowDown", "↓", "Look down", "s"],
  ["ArrowRight", "→", "Turn right", "d"],
];
const TWINS = { KeyI: "ArrowUp", KeyJ: "ArrowLeft", KeyK: "ArrowDown", KeyL: "ArrowRight" };
const MARKUP = `
  <canvas id="world" tabindex="0" role="application"
    aria-label="The world. W, A, S, D walk; arrows or I, J, K, L look; H hides the display."></canvas>
  <div class="numbers" data-hud></div>
  <div class="keys walk" data-hud role="group" aria-label="Walk"></div>
  <div class="keys look" data-hud role="group" aria-label="Look"></div>
  <button class="fullscreen" type="button" aria-label="Full screen" title="Full screen">
    <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/></svg>
  </button>
  <div class="curtain" role="status">
    <button class="play" type="button" aria-label="Start walking">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M8 5.5v13l11-6.5z"/></svg>
    </button>
    <progress max="1" aria-label="Getting ready"></progress>
    <p class="headline"></p><p class="hint"></p>
  </div>
  <div class="trouble" role="alert" hidden>
    <p></p><button type="button" aria-label="Dismiss the message">✕</button>
  </div>`;
const STEER = "W A S D to walk · arrows or drag to look · click to steer with the mouse · H hides this";
const WORDS = {
  connecting: ["Looking for the server…", ""],
  reconnecting: ["Connection lost", "Trying again…"],
  loading: ["Getting the world ready", ""],
  ready: ["", STEER],
  stopped: ["", STEER],
  opening: ["Opening the world…", ""],
  playing: ["", ""],
  paused: ["Paused", ""],
};

export class Hud {
  constructor() {
    this.root = document.createElement("div");
    this.root.className = "world";
    this.root.innerHTML = MARKUP;
    this.canvas = this.#find("canvas");
    this.play = this.#find(".play");
    this.keycaps = new Map();
    for (const key of KEYS) this.#addKeycap(...key);
    this.#find(".trouble button").onclick = () => this.clearTrouble();
    this.#find(".fullscreen").onclick = () => this.#toggleFullscreen();
    this.canvas.addEventListener("keydown", (event) => {
      if (event.code === "KeyH" && !event.ctrlKey && !event.metaKey) this.toggle();
    });
  }

  /** Gives the canvas the model's own size; CSS scales it. */
  resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.root.style.setProperty("--aspect", width / height);
  }

  toggle() {
    this.root.classList.toggle("bare");
  }

  /** Shows a state of the player and, while loading, how far it is. */
  show(state, progress) {
    const [headline, hint] = WORDS[state];
    this.root.dataset.state = state;
    this.play.setAttribute("aria-label", state === "paused" ? "Go on walking" : "Start walking");
    this.#find(".headline").textContent = headline;
    this.#find(".hint").textContent = hint;
    const bar = this.#find("progress");
    if (progress === undefined) bar.removeAttribute("value");
    else bar.value = progress;
  }

  /** Says what went wrong until it is dismissed or something goes right. */
  trouble(words) {
    this.#find(".trouble p").textContent = words;
    this.#find(".trouble").hidden = false;
  }

  clearTrouble() {
    this.#find(".trouble").hidden = true;
  }

  light(held) {
    const codes = new Set([...held].map((code) => TWINS[code] ?? code));
    for (const [code, keycap] of this.keycaps) keycap.classList.toggle("held", codes.has(code));
  }

  /** The numbers of the corner: frames a second, key to photon, and where one stands. */
  numbers({ fps, latency_ms: latency, pose }) {
    const [x, , z] = pose ? pose.slice(0, 3).map((row) => row[3]) : [0, 0, 0];
    const heading = pose ? (Math.atan2(pose[0][2], pose[2][2]) * 180) / Math.PI : 0;
    const ms = latency.last === null ? "–" : Math.round(latency.last);
    this.#find(".numbers").innerHTML =
      `<b>${fps.toFixed(1)}</b> fps<i></i><b>${ms}</b> ms key to photon<span class="place"><i></i>` +
      `<b>${signed(x)} ${signed(z)}</b> m<i></i><b>${Math.round(heading)}</b>°</span>`;
  }

  /** Calls `press` and `release` with a key's code while its button on the screen is held. */
  onKeycap(press, release) {
    for (const [code, keycap] of this.keycaps) {
      keycap.onpointerdown = (event) => {
        event.preventDefault();
        keycap.setPointerCapture(event.pointerId);
        press(code);
      };
      keycap.onpointerup = keycap.onpointercancel = () => release(code);
    }
  }

  #addKeycap(code, text, label, place) {
    const keycap = document.createElement("button");
    Object.assign(keycap, { type: "button", textContent: text, tabIndex: -1 });
    keycap.setAttribute("aria-label", label);
    keycap.style.gridArea = place;
    this.#find(code.startsWith("Key") ? ".walk" : ".look").append(keycap);
    this.keycaps.set(code, keycap);
  }

  #toggleFullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.();
    this.canvas.focus();
  }

  #find(selector) {
    return this.root.querySelector(selector);
  }
}

function signed(metres) {
  return (metres < 0 ? "−" : "+") + Math.abs(metres).toFixed(1);
}
