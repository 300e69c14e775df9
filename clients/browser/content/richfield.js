/** An element that is edited (contenteditable), as help sees it: rich text editors, code editors, chats. Its tree is only read. */

import { closes } from "../typing/draft.js";
import { lineAfter, textBefore } from "./richtext.js";

export class RichField {
  /** @param {HTMLElement} element the outermost element that is edited */
  constructor(element) {
    this.element = element;
  }

  get text() {
    return textBefore(this.element, this.element, this.element.childNodes.length);
  }

  /** The text at the caret, as `atCaret` tells it. */
  look() {
    const range = this.#range();
    if (range === null || !range.collapsed) return { draft: null };
    const { line, isLast } = lineAfter(this.element, range.startContainer, range.startOffset);
    const draft = closes(line) ? textBefore(this.element, range.startContainer, range.startOffset) : null;
    return { draft, after: line, atEnd: isLast };
  }

  hasRoomFor() {
    return true;
  }

  /** Put text in at the caret, as typed: the editor is told, and undo takes it back. */
  insert(text) {
    this.element.ownerDocument.execCommand("insertText", false, text);
  }

  /** Select the character before the caret, so that what is typed takes its place. */
  reachBack() {
    this.#selection()?.modify("extend", "backward", "character");
  }

  /** Where the caret is, and the box that text is laid out in, in pixels of the window; null where that cannot be told. */
  caret() {
    const range = this.#range();
    if (range === null) return null;
    const place = range.startContainer instanceof Element ? range.startContainer : range.startContainer.parentElement;
    const style = getComputedStyle(place);
    const rect = caretRect(range, style);
    if (rect === null) return null;
    let block = place;
    while (block !== this.element && getComputedStyle(block).display.startsWith("inline")) block = block.parentElement;
    const box = block.getBoundingClientRect();
    const scale = block.offsetWidth ? box.width / block.offsetWidth : 1;
    const own = getComputedStyle(block);
    const left = box.left + (parseFloat(own.borderLeftWidth) + parseFloat(own.paddingLeft)) * scale;
    const right = box.right - (parseFloat(own.borderRightWidth) + parseFloat(own.paddingRight)) * scale;
    return { x: rect.x, y: rect.y, height: rect.height, scale, left, right, inside: seen(this.element), style, isLine: false };
  }

  #selection() {
    const root = this.element.getRootNode();
    return (root.getSelection ?? document.getSelection).call(root.getSelection ? root : document);
  }

  #range() {
    const selection = this.#selection();
    if (!selection?.rangeCount) return null;
    const range = selection.getRangeAt(0);
    return this.element.contains(range.startContainer) ? range : null;
  }
}

/** The part of an element that is not scrolled away. */
function seen(element) {
  let { left, top, right, bottom } = element.getBoundingClientRect();
  for (let here = element; here !== null && here !== document.body && here !== document.documentElement; here = here.parentElement) {
    if (getComputedStyle(here).overflow === "visible") continue;
    const box = here.getBoundingClientRect();
    [left, top, right, bottom] = [Math.max(left, box.left), Math.max(top, box.top), Math.min(right, box.right), Math.min(bottom, box.bottom)];
  }
  return { left, top, width: right - left, height: bottom - top };
}

function caretRect(range, style) {
  const isRtl = style.direction === "rtl";
  const [own] = range.getClientRects();
  if (own?.height) return { x: own.left, y: own.top, height: own.height };
  const { startContainer: node, startOffset: offset } = range;
  if (node instanceof Text && offset > 0) {
    const letter = document.createRange();
    letter.setStart(node, offset - 1);
    letter.setEnd(node, offset);
    const last = [...letter.getClientRects()].at(-1);
    if (last) return { x: isRtl ? last.left : last.right, y: last.top, height: last.height };
  }
  const near = node instanceof Element ? (node.childNodes[offset] ?? node.childNodes[offset - 1] ?? node) : node.parentElement;
  const box = near instanceof Element ? near.getBoundingClientRect() : null;
  if (!box?.height) return null;
  const high = Math.min(box.height, parseFloat(style.lineHeight) || parseFloat(style.fontSize) * 1.2);
  return { x: isRtl ? box.right : box.left, y: box.top, height: high };
}
