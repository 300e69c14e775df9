/** What the reader chose, kept by the browser between visits; nothing of it leaves this machine. */

const PLACE = "rejoinder.settings";
const GATES = ["off", "quiet", "normal", "eager"];
const MOST_BLOCKED = 100;

/** The gate and the blocked words; whoever listens is told of every change. */
export class Settings extends EventTarget {
  #gate = "normal";
  #blocked = [];

  constructor() {
    super();
    try {
      const kept = JSON.parse(localStorage.getItem(PLACE)) ?? {};
      if (GATES.includes(kept.gate)) this.#gate = kept.gate;
      if (Array.isArray(kept.blocked)) this.#blocked = kept.blocked.filter((word) => typeof word === "string").slice(0, MOST_BLOCKED);
    } catch {
      // storage is closed to us, or holds something else: the defaults do
    }
  }

  get gate() {
    return this.#gate;
  }

  set gate(gate) {
    this.#gate = GATES.includes(gate) ? gate : "off";
    this.#keep();
  }

  get isOff() {
    return this.#gate === "off";
  }

  get blocked() {
    return [...this.#blocked];
  }

  block(word) {
    const plain = word.trim().toLowerCase();
    if (plain && !this.#blocked.includes(plain)) this.#blocked = [...this.#blocked, plain].slice(-MOST_BLOCKED);
    this.#keep();
  }

  allow(word) {
    this.#blocked = this.#blocked.filter((other) => other !== word);
    this.#keep();
  }

  #keep() {
    try {
      localStorage.setItem(PLACE, JSON.stringify({ gate: this.#gate, blocked: this.#blocked }));
    } catch {
      // it holds for this visit
    }
    this.dispatchEvent(new Event("change"));
  }
}
