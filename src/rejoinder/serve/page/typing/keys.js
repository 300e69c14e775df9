/** Keys, by the character they type and not by where they lie: where Option and a digit type "#" or "|", that is what is typed. */

const IS_MAC = /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? "");
const MODIFIERS = ["Ctrl", "Alt", "Meta", "Shift"];
const NAMED = /^(?:Tab|Enter|Escape|Arrow(?:Left|Right|Up|Down)|End|Home|Insert|F\d{1,2}| )$/u;

/** What each action is done with. On a Mac, Option and a digit type a character, so it is Control there. */
export const DEFAULT_KEYS = {
  all: "Tab",
  word: IS_MAC ? "Alt+ArrowRight" : "Ctrl+ArrowRight",
  hush: "Escape",
  first: IS_MAC ? "Ctrl+1" : "Alt+1",
  second: IS_MAC ? "Ctrl+2" : "Alt+2",
  third: IS_MAC ? "Ctrl+3" : "Alt+3",
};

/** A key as it is called ("Ctrl+ArrowRight", "Alt+1"); "" for a modifier by itself. Shift counts only for keys that type nothing. */
export function pressed({ key, ctrlKey, altKey, metaKey, shiftKey }) {
  if (typeof key !== "string" || ["Control", "Alt", "Meta", "Shift", "AltGraph", "Dead", "Process", "Unidentified"].includes(key)) return "";
  const held = { Ctrl: ctrlKey, Alt: altKey, Meta: metaKey, Shift: shiftKey && [...key].length > 1 };
  return [...MODIFIERS.filter((name) => held[name]), key].join("+");
}

/** The name of a key that may be chosen, else null: a letter without a modifier would no longer be typed. */
export function nameOfKey(name) {
  if (typeof name !== "string" || name.length > 40) return null;
  const parts = name.split("+");
  const key = parts.pop();
  const known = parts.every((part) => MODIFIERS.includes(part)) && key !== "";
  return known && (NAMED.test(key) || ([...key].length === 1 && (parts.includes("Ctrl") || parts.includes("Alt") || parts.includes("Meta")))) ? name : null;
}

/** A key as people read it. */
export function readable(name) {
  const signs = { ArrowRight: "→", ArrowLeft: "←", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "Space", ...(IS_MAC ? { Alt: "⌥", Ctrl: "⌃", Meta: "⌘" } : {}) };
  return name.split("+").map((part) => signs[part] ?? part).join(" ");
}

/** The action that a key event asks for, else null. */
export function actionOf(event, keys) {
  if (event.getModifierState?.("AltGraph")) return null;
  const name = pressed(event);
  return name ? (Object.entries(keys).find(([, key]) => key === name)?.[0] ?? null) : null;
}
