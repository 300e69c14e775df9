/** The text of an element that is edited, as a person sees it: blocks are lines, <br> ends one. The element is only read. */

const ENOUGH = 8_000; // characters before the caret that are read at least, where there are so many
const UNSEEN = /[\u200b\ufeff]/gu;

/** The block that a node stands in. */
function blockOf(node, root, known) {
  const element = node instanceof Element ? node : node.parentElement;
  if (element === null || element === root) return root;
  if (known.has(element)) return known.get(element);
  const { display } = getComputedStyle(element);
  const found = display.startsWith("inline") || display === "contents" ? blockOf(element.parentNode, root, known) : element;
  known.set(element, found);
  return found;
}

const isKept = (node) => getComputedStyle(node instanceof Element ? node : node.parentElement).whiteSpace.startsWith("pre") || getComputedStyle(node.parentElement).whiteSpace === "break-spaces";

/** The letters of a text node as they are shown. */
function shown(node, from = 0, to = undefined) {
  const text = node.data.slice(from, to).replace(UNSEEN, "");
  return (isKept(node) ? text : text.replace(/[ \t\n\r\f]+/gu, " ")).replaceAll("\u00a0", " ");
}

const isBreak = (node) => node.nodeName === "BR";

/** What stands before a place in `root`, its end where it is long. */
export function textBefore(root, container, offset) {
  const known = new Map();
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ALL);
  let block = container === root && root.childNodes[offset] ? blockOf(root.childNodes[offset], root, known) : blockOf(container, root, known);
  let text = container instanceof Text ? shown(container, 0, offset) : "";
  walker.currentNode = container;
  let node = container;
  if (!(container instanceof Text) && offset > 0) {
    node = container.childNodes[offset - 1] ?? container;
    while (node.lastChild) node = node.lastChild;
    walker.currentNode = node;
  } else {
    node = container === root ? null : walker.previousNode();
  }
  while (node !== null && node !== root && text.length < ENOUGH) {
    if (node instanceof Text || isBreak(node)) {
      const here = blockOf(node, root, known);
      if (here !== block || isBreak(node)) text = `\n${text}`;
      block = here;
      if (node instanceof Text) text = shown(node) + text;
    }
    node = walker.previousNode();
  }
  return text;
}

/** The rest of the line at a place, and whether nothing but blanks comes after that line. */
export function lineAfter(root, container, offset) {
  const known = new Map();
  const block = container === root && root.childNodes[offset] ? blockOf(root.childNodes[offset], root, known) : blockOf(container, root, known);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ALL);
  let line = "";
  let isOver = false; // the line is
  walker.currentNode = container;
  let node = container instanceof Text ? container : (container.childNodes[offset] ?? after(container, root));
  for (; node !== null && node !== undefined; node = walker.nextNode()) {
    walker.currentNode = node;
    if (isBreak(node)) isOver = true;
    if (!(node instanceof Text)) continue;
    const text = shown(node, node === container ? offset : 0);
    isOver ||= text.trim() !== "" && blockOf(node, root, known) !== block;
    if (isOver && text.trim()) return { line, isLast: false };
    if (isOver) continue;
    const [own, ...others] = text.split("\n");
    line += own;
    if (others.some((other) => other.trim())) return { line, isLast: false };
    isOver = others.length > 0;
  }
  return { line, isLast: true };
}

/** The next node that is not inside `node`. */
function after(node, root) {
  for (let here = node; here !== root && here !== null; here = here.parentNode) if (here.nextSibling) return here.nextSibling;
  return null;
}
