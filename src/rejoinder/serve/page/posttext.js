/** A post's plain text as paragraphs, quotes (lines that begin with ">") and code (lines that begin with two spaces). */

import { make } from "./typing/elements.js";

const kindOf = (line) => (line.startsWith(">") ? "quote" : line.startsWith("  ") ? "code" : line.trim() ? "words" : "blank");

/** The elements that show `text`. */
export function postText(text) {
  const blocks = [];
  let last = "blank";
  for (const line of text.split("\n")) {
    let kind = kindOf(line);
    if (kind === "blank" && last === "code") kind = "code"; // a blank line inside a listing
    if (kind !== "blank" && kind === last) blocks.at(-1).lines.push(line);
    else if (kind !== "blank") blocks.push({ kind, lines: [line] });
    last = kind;
  }
  return blocks.map(({ kind, lines }) => {
    if (kind === "quote") return make("blockquote", {}, lines.map((line) => line.replace(/^>\s?/, "")).join("\n"));
    if (kind === "code") return make("pre", {}, lines.join("\n").trimEnd());
    return make("p", {}, lines.join("\n"));
  });
}
