/** Tells screen readers of a ghost, but only when the writer pauses: a voice that interrupts every letter helps nobody. */

const PAUSE = 1200; // milliseconds without a keystroke

export class Voice {
  #region;
  #timer = 0;
  #ghost = "";

  /** @param {HTMLElement} region a polite live region */
  constructor(region) {
    this.#region = region;
  }

  /** Say `ghost` after a pause; another takes its place, and "" is silence. The same again, as when it is drawn anew, changes nothing. */
  soon(ghost) {
    if (ghost === this.#ghost) return; // a letter that is typed always changes it
    this.#ghost = ghost;
    clearTimeout(this.#timer);
    if (this.#region.textContent) this.#region.textContent = "";
    if (ghost) this.#timer = setTimeout(() => (this.#region.textContent = `Suggestion: ${ghost.trim()}`), PAUSE);
  }
}
