/**
 * Questions for every keystroke without a queue: one is under way at most, and of those that wait only the latest counts.
 * So a slow answer costs a few ghosts, never time: letters are never held back.
 */
export class Asking {
  #ask;
  #answer;
  #waiting = null;
  #busy = false;

  /**
   * @param {(draft: string) => Promise<object>} ask puts the question
   * @param {(draft: string, said: object | null) => void} answer takes what was said of that draft; null if nothing was
   */
  constructor(ask, answer) {
    this.#ask = ask;
    this.#answer = answer;
  }

  /** Ask about `draft`, now or as soon as the question under way is answered. */
  about(draft) {
    this.#waiting = draft;
    if (!this.#busy) this.#run();
  }

  /** Ask nothing more until `about` is called again. */
  stop() {
    this.#waiting = null;
  }

  async #run() {
    this.#busy = true;
    while (this.#waiting !== null) {
      const draft = this.#waiting;
      this.#waiting = null;
      let said = null;
      try {
        said = await this.#ask(draft);
      } catch (error) {
        said = { error };
      }
      this.#answer(draft, said);
    }
    this.#busy = false;
  }
}
