/** Copying to the clipboard, with a word on whether it worked. */

import { make } from "./typing/elements.js";

const SAID = 1500; // milliseconds

/** Copy `text`; the button says so for a moment. */
export async function copied(button, text) {
  const name = button.dataset.name ?? (button.dataset.name = button.textContent);
  button.textContent = (await put(text)) ? "Copied" : "Not copied";
  setTimeout(() => (button.textContent = name), SAID);
}

/** A button that copies what `text` returns. */
export function copyButton(text) {
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", () => copied(button, text()));
  return button;
}

async function put(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no permission, or a page that is not at this machine
  }
}
