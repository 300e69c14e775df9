/** The one switch for all help while typing, on the page, in the browser and in editors: the server keeps it, and every door obeys it. */

import { make } from "./elements.js";

/** Tells of every change. */
export class Switch extends EventTarget {
  #ask;
  #isOn = true;
  #box = make("input", { type: "checkbox", id: "everywhere", checked: true });
  #trouble = make("span", { className: "hint", role: "status" });

  /** @param {(on?: boolean) => Promise<{on: boolean}>} ask asks the server how it stands; with `on`, turns it */
  constructor(ask) {
    super();
    this.#ask = ask;
    this.#box.addEventListener("change", () => this.#attempt(this.#box.checked));
    this.look();
  }

  /** What a person turns. */
  form() {
    return make("p", { className: "everywhere" }, make("label", {}, this.#box, " help wherever I write: this page, the browser, editors"), " ", this.#trouble);
  }

  /** Whether help is given, as far as is known. */
  get isOn() {
    return this.#isOn;
  }

  /** It was heard how it stands. */
  heard(on) {
    this.#box.checked = on;
    if (on === this.#isOn) return;
    this.#isOn = on;
    this.dispatchEvent(new Event("change"));
  }

  /** See how it stands. */
  look() {
    return this.#attempt();
  }

  async #attempt(wanted) {
    try {
      this.heard((await this.#ask(wanted)).on);
      this.#trouble.textContent = "";
    } catch (error) {
      if (wanted === undefined) return; // whoever types is told soon enough
      this.#box.checked = this.#isOn;
      this.#trouble.textContent = error.message;
    }
  }
}
