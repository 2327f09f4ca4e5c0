// The connection: a ticket, a socket, and both again whenever they break.

const PING_MS = 2000;
const SILENCE_MS = 8000;
const RETRY_MS = [500, 1000, 2000, 4000];

export class Link {
  /** `on` has `text(message)`, `frame(buffer, arrived)` and `closed()`. */
  constructor(on) {
    this.on = on;
    this.socket = null;
    this.failures = 0;
    this.heardAt = 0;
    this.roundTrip = null;
    this.connect();
    setInterval(() => this.#ping(), PING_MS);
  }

  /** Sends a message if the socket is open; what cannot be sent now is worth nothing later. */
  send(type, fields = {}) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify({ type, ...fields }));
    return true;
  }

  async connect() {
    try {
      const answer = await fetch(url("world/ticket"), { method: "POST" });
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      this.#open((await answer.json()).ticket);
    } catch {
      this.#retry(); // the server is not there: its user sees the state on the stage
    }
  }

  #open(ticket) {
    const address = url("world/ws");
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.heardAt = performance.now();
      this.socket = socket;
      this.send("hello", { ticket });
    };
    socket.onmessage = ({ data }) => {
      this.heardAt = performance.now();
      if (typeof data !== "string") this.on.frame(data, this.heardAt);
      else this.#read(JSON.parse(data));
    };
    socket.onclose = () => this.#lost(socket);
  }

  #read(message) {
    this.failures = 0;
    if (message.type === "pong") this.roundTrip = performance.now() - message.at_ms;
    else this.on.text(message);
  }

  #lost(socket) {
    if (this.socket !== socket && this.socket !== null) return;
    socket.onclose = socket.onmessage = null;
    if (this.socket) this.on.closed();
    this.socket = null;
    this.#retry();
  }

  #retry() {
    const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
    this.failures += 1;
    setTimeout(() => this.connect(), wait);
  }

  /** A link that died without a word shows by its silence. */
  #ping() {
    if (!this.socket) return;
    if (performance.now() - this.heardAt > SILENCE_MS) {
      this.socket.close();
      this.#lost(this.socket);
    } else {
      this.send("ping", { at_ms: performance.now() });
    }
  }
}

/** A path of our own server, whatever prefix the page is served under. */
export function url(path) {
  return new URL(path, document.baseURI);
}
