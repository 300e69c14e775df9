/** A text area or a line of text, as help sees it. */

import { atCaret } from "../typing/draft.js";

const COPIED = [
  "boxSizing", "fontFamily", "fontSize", "fontStyle", "fontWeight", "fontStretch", "fontVariant", "fontKerning", "fontFeatureSettings", "letterSpacing", "wordSpacing",
  "lineHeight", "textTransform", "textIndent", "textAlign", "textRendering", "tabSize", "direction", "unicodeBidi", "writingMode", "wordBreak", "overflowWrap", "hyphens",
  "paddingTop", "paddingRight", "paddingBottom", "paddingLeft", "borderTopWidth", "borderRightWidth", "borderBottomWidth", "borderLeftWidth",
];

export class PlainField {
  #mirror;

  /**
   * @param {HTMLTextAreaElement | HTMLInputElement} element
   * @param {HTMLElement} mirror an element of ours, out of the page's sight, to measure in
   */
  constructor(element, mirror) {
    this.element = element;
    this.#mirror = mirror;
  }

  get text() {
    return this.element.value;
  }

  /** The text at the caret, as `atCaret` tells it. */
  look() {
    const { value, selectionStart, selectionEnd } = this.element;
    return atCaret(value, selectionStart, selectionEnd);
  }

  /** Whether so much text still goes in. */
  hasRoomFor(text) {
    const { maxLength, value } = this.element;
    return maxLength < 0 || value.length + text.length <= maxLength;
  }

  /** Put text in at the caret, as typed: the page is told, and undo takes it back. */
  insert(text) {
    this.element.ownerDocument.execCommand("insertText", false, text);
  }

  /** Select the character before the caret, so that what is typed takes its place. */
  reachBack() {
    this.element.setSelectionRange(this.element.selectionStart - 1, this.element.selectionEnd);
  }

  /** Where the caret is, and the box that text is laid out in, in pixels of the window; null where that cannot be told. */
  caret() {
    const { element } = this;
    const style = getComputedStyle(element);
    const field = element.getBoundingClientRect();
    if (!field.width || !element.offsetWidth) return null;
    const scale = field.width / element.offsetWidth;
    const at = this.#measure(style);
    const border = { left: parseFloat(style.borderLeftWidth), top: parseFloat(style.borderTopWidth) };
    const isLine = element instanceof HTMLInputElement;
    const x = field.left + (at.left - element.scrollLeft) * scale;
    const y = isLine ? field.top + (field.height - at.height * scale) / 2 : field.top + (at.top - element.scrollTop) * scale;
    const left = field.left + (border.left + parseFloat(style.paddingLeft)) * scale;
    const width = (element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)) * scale;
    const inside = { left: field.left + border.left * scale, top: field.top + border.top * scale, width: element.clientWidth * scale, height: element.clientHeight * scale };
    return { x, y, height: at.height * scale, scale, left, right: left + width, inside, style, isLine };
  }

  /** Where the caret is in a mirror of the field, from the mirror's corner. */
  #measure(style) {
    const { element } = this;
    const mirror = this.#mirror;
    for (const name of COPIED) mirror.style[name] = style[name];
    const isLine = element instanceof HTMLInputElement;
    Object.assign(mirror.style, {
      width: isLine ? "max-content" : `${element.offsetWidth - (element.offsetWidth - element.clientWidth - parseFloat(style.borderLeftWidth) - parseFloat(style.borderRightWidth))}px`,
      whiteSpace: isLine ? "pre" : style.whiteSpace === "nowrap" ? "pre" : "pre-wrap",
      borderStyle: "solid",
    });
    const { value, selectionEnd } = element;
    const mark = document.createElement("span");
    mark.textContent = value.slice(selectionEnd).split(/\s/u)[0] || "\u200b";
    mirror.replaceChildren(value.slice(0, selectionEnd), mark);
    const [rect] = mark.getClientRects();
    const corner = mirror.getBoundingClientRect();
    const edge = style.direction === "rtl" ? rect.right : rect.left;
    const found = { left: edge - corner.left, top: rect.top - corner.top, height: rect.height };
    if (isLine && style.direction === "rtl") found.left += element.offsetWidth - corner.width;
    mirror.replaceChildren();
    return found;
  }
}
