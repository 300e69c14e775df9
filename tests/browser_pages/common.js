/** What every page of a field offers to the tests: what is in the field, where the caret is, which events the page was told of. */

window.events = [];
for (const kind of ["beforeinput", "input"]) {
  document.addEventListener(kind, (event) => window.events.push([kind, event.inputType, event.isTrusted]), true);
}
window.keys = [];
document.addEventListener("keydown", (event) => window.keys.push(event.key));

/** A plain field's text and selection. */
export function plain(field) {
  window.read = () => ({ text: field.value, start: field.selectionStart, end: field.selectionEnd });
}

/** Text and selection of an element that is edited, as the browser has them; `text`: as the editor has it. */
export function rich(element, text = () => element.innerText.replace(/\n$/u, "")) {
  window.read = () => {
    const selection = document.getSelection();
    const range = document.createRange();
    range.selectNodeContents(element);
    const inside = selection.rangeCount && element.contains(selection.anchorNode);
    const at = (node, offset) => {
      range.setEnd(node, offset);
      return range.toString().length;
    };
    return { text: text().replaceAll("\u00a0", " "), start: inside ? at(selection.anchorNode, selection.anchorOffset) : -1, end: inside ? at(selection.focusNode, selection.focusOffset) : -1 };
  };
}
