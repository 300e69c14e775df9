/**
 * Look inside: token by token, what the draft does to the memory cell, and how likely each rung found it before it came.
 * A row of the table is a token; its strip of colours is the liveliest places of the memory, a square each.
 */

import * as api from "./api.js";
import { byId, make, percent } from "./typing/elements.js";

const PAUSE = 500; // milliseconds without a keystroke before it is looked again
const MOST = 600; // characters of the draft that are looked at, its end
const GRIDS = { c: "memory", i: "input gate", f: "forget gate", o: "output gate", g: "candidate", h: "output" };
const SHARES = ["i", "f", "o"]; // from 0 to 1; the others lie around 0

export class Inside {
  #details = byId("inside");
  #body = byId("inside-body");
  #composer;
  #timer = 0;
  #asked = 0;
  #grid = "c";

  /** @param {Composer} composer whose draft is looked at */
  constructor(composer) {
    this.#composer = composer;
    this.#details.addEventListener("toggle", () => this.#look());
  }

  /** The draft has changed. */
  soon() {
    clearTimeout(this.#timer);
    if (this.#details.open) this.#timer = setTimeout(() => this.#look(), PAUSE);
  }

  async #look() {
    if (!this.#details.open) return;
    const text = this.#composer.text.slice(-MOST);
    const mine = ++this.#asked;
    if (!text.trim()) {
      this.#say("Write something first: then each token of it is shown here.");
      return;
    }
    try {
      const found = await api.inspectCell(text);
      if (mine === this.#asked) this.#show(found);
    } catch (error) {
      if (mine === this.#asked) this.#say(error.message);
    }
  }

  #say(text) {
    this.#body.replaceChildren(make("p", { className: "hint" }, text));
  }

  #show(found) {
    const pick = make("select", { id: "grid" }, ...Object.entries(GRIDS).map(([value, name]) => make("option", { value }, name)));
    pick.value = this.#grid;
    pick.addEventListener("change", () => {
      this.#grid = pick.value;
      paint(strips, found.values[this.#grid], SHARES.includes(this.#grid));
    });
    const strips = found.tokens.map(() => make("canvas", { width: found.cells.length, height: 1, className: "cells" }));
    const label = make("label", { htmlFor: "grid" }, "Colours show the ");
    this.#body.replaceChildren(
      make("p", { className: "row" }, label, pick),
      make("div", { className: "wide", tabIndex: 0, role: "group", ariaLabel: "The memory cell, token by token" }, table(found, strips)),
      make("p", { className: "hint" }, `Gates are means over all places of layer ${found.layer}; the ${found.cells.length} liveliest places are painted, red above 0, blue below.`),
    );
    paint(strips, found.values[this.#grid], SHARES.includes(this.#grid));
  }
}

/** A row for each token: its strip, the means of the gates, and the probability each rung had for it. */
function table({ tokens, means, probabilities }, strips) {
  const gates = SHARES.map((name) => [GRIDS[name], means[name]]);
  const columns = [...gates, ...Object.entries(probabilities)];
  const names = ["token", "places", ...columns.map(([name]) => name)];
  const head = make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name.replace("/", "/\u200b"))))); // it may go on in another line there
  const rows = tokens.map((token, at) => {
    const values = columns.map(([, column]) => warm(column[at]));
    return make("tr", {}, make("th", { scope: "row" }, token), make("td", { className: "strip-cell" }, strips[at]), ...values);
  });
  return make("table", { className: "heat" }, head, make("tbody", {}, ...rows));
}

/** A cell of the table, the warmer the nearer its share is to 1. */
function warm(share) {
  if (share === null || share === undefined) return make("td", {}, "–");
  const made = make("td", {}, percent(share));
  made.style.setProperty("--warmth", share);
  return made;
}

/** Colour the strips: (T, K) numbers, from 0 to 1 if they are shares, else around 0. */
function paint(strips, rows, areShares) {
  const most = areShares ? 1 : Math.max(1e-6, ...rows.flat().map(Math.abs));
  for (const [at, strip] of strips.entries()) {
    const pen = strip.getContext("2d");
    for (const [place, value] of rows[at].entries()) {
      const strength = Math.min(Math.abs(value) / most, 1);
      pen.fillStyle = `hsl(${value < 0 ? 212 : 8} 65% 45% / ${strength})`;
      pen.clearRect(place, 0, 1, 1);
      pen.fillRect(place, 0, 1, 1);
    }
  }
}
