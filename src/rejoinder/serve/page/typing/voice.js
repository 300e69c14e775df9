/** Tells screen readers of a ghost, but only when the writer pauses: a voice that interrupts every letter helps nobody. */

const PAUSE = 1200; // milliseconds without a keystroke

export class Voice {
  #region;
  #timer = 0;

  /** @param {HTMLElement} region a polite live region */
  constructor(region) {
    this.#region = region;
  }

  /** Say `ghost` after a pause; a later call takes the place of this one, and "" is silence. */
  soon(ghost) {
    clearTimeout(this.#timer);
    if (this.#region.textContent) this.#region.textContent = "";
    if (ghost) this.#timer = setTimeout(() => (this.#region.textContent = `Suggestion: ${ghost.trim()}`), PAUSE);
  }
}
