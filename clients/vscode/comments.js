// Where comments are in code: in lines that hold nothing else. What follows code in a line, and strings, are left alone.

"use strict";

const LINE = {
  "//": "c cpp csharp cuda-cpp dart fsharp go java javascript javascriptreact jsonc kotlin less objective-c php rust scala scss swift typescript typescriptreact zig",
  "#": "coffeescript dockerfile elixir julia makefile nix perl powershell python r ruby shellscript terraform toml yaml",
  "--": "ada elm haskell lua sql vhdl",
  ";": "clojure ini lisp scheme",
  "%": "erlang matlab prolog",
};
const MARKS = new Map(Object.entries(LINE).flatMap(([mark, names]) => names.split(" ").map((name) => [name, mark])));
const LONGEST = 200; // lines of one comment that are read

/** The text of the comment that ends at the caret, without its marks; null where there is no comment. `line(n)` is a line. */
function commentAt(language, line, row, typed) {
  const mark = MARKS.get(language);
  if (mark === undefined) return null;
  const whole = new RegExp(`^\\s*${mark}${mark.at(-1)}*!?(?: |$)`);
  const rows = (strip) => {
    const found = strip(typed);
    if (found === null) return null;
    const text = [found];
    for (let above = row - 1; above >= 0 && text.length < LONGEST; above--) {
      const more = strip(line(above));
      if (more === null) break;
      text.unshift(more);
    }
    return text.join("\n");
  };
  const simple = rows((text) => (whole.test(text) && !/^\s*#!/.test(text) ? text.replace(whole, "") : null));
  if (simple !== null || mark !== "//") return simple;
  return inBlock(line, row) ? rows((text) => (/^\s*(?:\/\*+|\*(?!\/))(?: |$)/.test(text) ? text.replace(/^\s*(?:\/\*+|\*) ?/, "") : null)) : null;
}

/** Whether a row of stars belongs to a block comment: above it one begins, and none ends. */
function inBlock(line, row) {
  for (let above = row; above >= 0 && row - above < LONGEST; above--) {
    const text = line(above);
    if (/\/\*/.test(text)) return !/\*\//.test(text);
    if (/\*\//.test(text)) return false;
  }
  return false;
}

module.exports = { commentAt };
