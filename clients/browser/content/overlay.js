/**
 * What is drawn beside the caret: the ghost, and up to three words. It lies over the page in a closed shadow root of its own, in the
 * top layer where the browser has one, so that the page's tree, its styles and its dialogs are as they were.
 */

import { visible } from "../typing/elements.js";
import { Voice } from "../typing/voice.js";

const FONT = ["fontFamily", "fontSize", "fontStyle", "fontWeight", "fontStretch", "fontVariant", "fontFeatureSettings", "letterSpacing", "wordSpacing", "textTransform", "tabSize", "direction"];
const UNSEEN = { position: "fixed", left: "0", top: "0", width: "1px", height: "1px", overflow: "hidden", clipPath: "inset(50%)", whiteSpace: "nowrap" };
const GAP = 4; // pixels

export class Overlay {
  #host = document.createElement("rejoinder-ghost");
  #clip = document.createElement("div");
  #ghost = document.createElement("div");
  #room = document.createElement("span"); // as wide as what stands before the caret
  #text = document.createElement("span");
  #rest = document.createElement("span"); // what closes the line, drawn again after the ghost that lies over it
  #strip = document.createElement("div");
  #mirror = document.createElement("div");
  #said = document.createElement("div");
  #voice = new Voice(this.#said);
  #picked;

  /** @param {(place: number) => void} picked told which word of the strip was clicked */
  constructor(picked) {
    this.#picked = picked;
    const shadow = this.#host.attachShadow({ mode: "closed" });
    set(this.#host, { all: "initial", position: "fixed", inset: "0", width: "auto", height: "auto", margin: "0", padding: "0", border: "0", background: "none", overflow: "visible", pointerEvents: "none", zIndex: "2147483647", colorScheme: "normal" });
    Object.assign(this.#clip.style, { position: "fixed", inset: "0", pointerEvents: "none" });
    Object.assign(this.#ghost.style, { position: "absolute", transformOrigin: "0 0", whiteSpace: "pre-wrap", overflowWrap: "break-word", pointerEvents: "none" });
    this.#clip.ariaHidden = "true";
    Object.assign(this.#room.style, { display: "inline-block", height: "1px" });
    Object.assign(this.#strip.style, { position: "fixed", display: "none", gap: "4px", pointerEvents: "auto", font: "13px/1.4 system-ui, sans-serif" });
    this.#strip.ariaHidden = "true"; // the keys do the same, and the voice says what there is
    Object.assign(this.#mirror.style, { position: "fixed", left: "0", top: "0", visibility: "hidden", overflow: "hidden", height: "auto", pointerEvents: "none" });
    this.#mirror.ariaHidden = "true";
    Object.assign(this.#said.style, UNSEEN);
    this.#said.role = "status";
    this.#said.ariaLive = "polite";
    this.#ghost.append(this.#room, this.#text, this.#rest);
    this.#clip.append(this.#ghost);
    shadow.append(this.#mirror, this.#clip, this.#strip, this.#said);
    if ("popover" in this.#host) this.#host.popover = "manual";
  }

  /** Where a field may be measured in. */
  get mirror() {
    return this.#mirror;
  }

  /** Be in the page, above all that is there. */
  show() {
    if (!this.#host.isConnected) document.documentElement.append(this.#host);
    if (!this.#host.popover) return;
    if (this.#host.matches(":popover-open") && document.querySelector("dialog:modal, :popover-open:not(rejoinder-ghost)")) this.#host.hidePopover(); // to be above it
    if (!this.#host.matches(":popover-open")) this.#host.showPopover();
  }

  /** Leave the page. */
  remove() {
    this.#voice.soon("");
    this.#host.remove();
  }

  /**
   * Draw.
   *
   * @param {string} ghost
   * @param {{shown: string}[]} words
   * @param {object | null} caret as fields tell it
   */
  draw(ghost, words, caret) {
    this.#voice.soon(ghost);
    const isSeen = caret !== null && within(caret);
    this.#clip.style.display = isSeen && ghost ? "" : "none";
    this.#strip.style.display = isSeen && words.length ? "flex" : "none";
    if (!isSeen) return;
    if (ghost) this.#drawGhost(visible(ghost), caret);
    if (words.length) this.#drawStrip(words, caret);
  }

  #drawGhost(ghost, caret) {
    const { style, scale, height } = caret;
    const isRtl = style.direction === "rtl";
    for (const name of FONT) this.#ghost.style[name] = style[name];
    const line = parseFloat(style.lineHeight) || height / scale;
    const width = Math.max((caret.right - caret.left) / scale, 1);
    const before = Math.max((isRtl ? caret.right - caret.x : caret.x - caret.left) / scale, 0);
    Object.assign(this.#ghost.style, {
      left: `${caret.left}px`,
      top: `${caret.y + height / 2 - (line * scale) / 2}px`,
      width: `${width}px`,
      lineHeight: `${line}px`,
      transform: scale === 1 ? "" : `scale(${scale})`,
      whiteSpace: caret.isLine ? "pre" : "pre-wrap",
      textAlign: isRtl ? "right" : "left",
      color: style.color,
    });
    this.#room.style.width = `${before}px`;
    const ground = groundOf(caret.ground);
    for (const part of [this.#text, this.#rest]) Object.assign(part.style, { backgroundColor: ground, boxDecorationBreak: "clone" });
    this.#text.style.color = `color-mix(in srgb, ${style.color} 62%, transparent)`;
    this.#text.textContent = ghost;
    this.#rest.textContent = visible(caret.closers);
    const drift = caret.y - (this.#text.getClientRects()[0]?.top ?? caret.y); // letters of one line stand on one line
    this.#ghost.style.top = `${parseFloat(this.#ghost.style.top) + drift}px`;
    const { left, top, width: wide, height: high } = caret.inside;
    const below = caret.isLine ? top + high : Math.max(top + high, top + high + this.#ghost.offsetHeight); // it may go on below the field
    this.#clip.style.clipPath = `polygon(${left}px ${top}px, ${left + wide}px ${top}px, ${left + wide}px ${below}px, ${left}px ${below}px)`;
  }

  #drawStrip(words, caret) {
    const isDark = brightness(groundOf(caret.ground)) < 0.4;
    const colours = isDark ? { background: "#1f1e1a", color: "#e9e4d9", border: "1px solid #55514a" } : { background: "#ffffff", color: "#22201c", border: "1px solid #c9c2b4" };
    const buttons = words.map(({ shown }, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.tabIndex = -1;
      button.textContent = visible(shown);
      Object.assign(button.style, { all: "initial", ...colours, font: "13px/1.4 system-ui, sans-serif", padding: "1px 8px", borderRadius: "5px", cursor: "pointer", boxShadow: "0 1px 3px rgb(0 0 0 / 0.15)", maxWidth: "14em", overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" });
      button.addEventListener("mousedown", (event) => event.preventDefault()); // the caret stays in the field
      button.addEventListener("click", (event) => event.isTrusted && this.#picked(place));
      return button;
    });
    this.#strip.replaceChildren(...buttons);
    const { inside } = caret;
    const { offsetHeight: high, offsetWidth: wide } = this.#strip;
    // under the line, where the field has room for it; else above the field, since below it are the buttons that send
    const drawn = this.#clip.style.display === "none" ? [] : [...this.#text.getClientRects()];
    const under = Math.max(caret.y + caret.height, ...drawn.map(({ bottom }) => bottom)) + GAP;
    const above = inside.top - high - GAP;
    const fits = !caret.isLine && under + high <= Math.min(inside.top + inside.height, innerHeight);
    const top = fits ? under : above >= 0 ? above : inside.top + inside.height + GAP;
    const left = Math.min(Math.max(inside.left + GAP, 0), Math.max(innerWidth - wide, 0));
    Object.assign(this.#strip.style, { left: `${left}px`, top: `${top}px` });
  }
}

/** Styles that no style sheet of the page overrules. */
function set(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name.replace(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`), value, "important");
}

/** Whether the caret is in the part of its field that is not scrolled away. */
function within({ x, y, height, inside }) {
  const middle = y + height / 2;
  return x >= inside.left - 1 && x <= inside.left + inside.width + 1 && middle >= inside.top && middle <= inside.top + inside.height;
}

/** The colour behind an element. */
function groundOf(element) {
  for (let here = element; here !== null; here = here.parentElement ?? here.getRootNode().host ?? null) {
    const { backgroundColor } = getComputedStyle(here);
    if (!/^(?:transparent|rgba\(.*, 0\))$/u.test(backgroundColor)) return backgroundColor;
  }
  return "#ffffff";
}

/** How bright a colour is, from 0 to 1. */
function brightness(colour) {
  const [red, green, blue] = (colour.match(/[\d.]+/gu) ?? [255, 255, 255]).map(Number);
  return (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
}
