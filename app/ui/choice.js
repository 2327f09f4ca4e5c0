// What one may choose beside the stage: scene or own picture, prompt, seed, and the buttons' states.

import { url } from "./link.js";

const BUTTONS = ["#start", "#pause", "#reset"];

export class Choice {
  /** What must be on the page before there is a choice. */
  static CONTROLS = ["#own-picture", "#prompt textarea", "#seed input", ...BUTTONS];

  /** `on` has `chosen(pictureUrl)`, called when another beginning is chosen, and `trouble(words)`. */
  constructor(on) {
    this.on = on;
    this.image = null; // the id of an uploaded picture
    this.own = document.querySelector("#own-picture");
    for (const radio of this.#radios()) radio.addEventListener("change", () => this.#choose(radio));
    this.own.querySelector("input").addEventListener("change", (event) => {
      if (event.target.files.length) this.upload(event.target.files[0]);
      event.target.value = "";
    });
    const [first] = this.#radios();
    if (first) {
      first.checked = true;
      this.#choose(first);
    }
  }

  /** The fields of a `start` message. */
  get start() {
    const scene = this.#radios().find((radio) => radio.checked)?.value ?? null;
    const prompt = this.#field("#prompt").value;
    const seed = Math.max(0, Math.trunc(Number(this.#field("#seed").value)) || 0);
    return this.image ? { image: this.image, prompt, seed } : { scene, prompt, seed };
  }

  /** Sends a picture of the player's own and chooses it. */
  async upload(file) {
    this.own.classList.add("busy");
    try {
      const answer = await fetch(url("world/image"), { method: "POST", body: file });
      const { image, error } = await answer.json();
      if (error) this.on.trouble(error);
      else this.#chooseOwn(image, URL.createObjectURL(file));
    } catch {
      this.on.trouble("The picture did not reach the server. Check the connection and choose it again.");
    } finally {
      this.own.classList.remove("busy");
    }
  }

  /** Makes the buttons say and allow what fits the player's state. */
  show(state) {
    const open = state === "playing" || state === "paused";
    const [start, pause, reset] = BUTTONS.map((id) => document.querySelector(id));
    start.disabled = !open && state !== "ready" && state !== "stopped";
    pause.disabled = reset.disabled = !open;
    pause.textContent = state === "paused" ? "Resume" : "Pause";
  }

  #choose(radio) {
    this.image = null;
    this.own.classList.remove("chosen");
    this.#setPrompt(radio.dataset.prompt);
    this.on.chosen(radio.closest("label").querySelector("img").src);
  }

  #chooseOwn(image, preview) {
    this.image = image;
    for (const radio of this.#radios()) radio.checked = false;
    const picture = this.own.querySelector("img");
    picture.src = preview;
    picture.hidden = false;
    this.own.classList.add("chosen");
    this.#setPrompt("");
    this.on.chosen(preview);
  }

  /** Gradio's text box learns of a new value by its input event. */
  #setPrompt(text) {
    const field = this.#field("#prompt");
    field.value = text;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #field(selector) {
    return document.querySelector(`${selector} textarea, ${selector} input`);
  }

  #radios() {
    return [...document.querySelectorAll('#scenes input[type="radio"]')];
  }
}
