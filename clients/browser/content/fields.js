/** Which fields are helped in. Whatever may be secret, or is no prose, is not. */

const SECRET = /passw|passphrase|\bpin\b|otp|one.?time|secret|token|api.?key|cvv|cvc|card.?(?:number|no)|iban|\bssn\b|social.?security|security.?(?:code|answer)|seed.?phrase|mnemonic/iu;
const SEARCH = /search|\bquery\b|^q$/iu;
const NUMBERS = ["numeric", "decimal", "tel"];
const AUTOCOMPLETE = /^(?:cc-|current-password|new-password|one-time-code|username|email|tel|bday|transaction-|url|impp)/u;
const TYPES = { password: "a password", search: "a search", email: "an e-mail address", number: "a number", tel: "a number", url: "an address" };

/** The field that an event happened in: a text area, a line of text, or the outermost element that is edited; else null. */
export function fieldOf(target) {
  if (!(target instanceof Element)) return null;
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement) return target;
  if (!target.isContentEditable) return null;
  let found = target;
  while (found.parentElement?.isContentEditable) found = found.parentElement;
  return found;
}

/** Why a field is not helped in, else null. */
export function refusal(field) {
  if (field.disabled || field.readOnly || field.getAttribute("aria-readonly") === "true") return "it cannot be written in";
  if (field instanceof HTMLInputElement && field.type !== "text") return `it is for ${TYPES[field.type] ?? "no text"}`;
  const autocomplete = (field.getAttribute("autocomplete") ?? "").toLowerCase().split(/\s+/u);
  if (autocomplete.some((token) => AUTOCOMPLETE.test(token))) return "it is for what a browser fills in";
  const mode = field.getAttribute("inputmode")?.toLowerCase() ?? "";
  if (NUMBERS.includes(mode)) return "it is for a number";
  if (mode === "email" || mode === "url" || mode === "search") return `it is for ${TYPES[mode]}`;
  const names = namesOf(field);
  if (names.some((name) => SECRET.test(name))) return "it may be for a secret";
  if (field instanceof HTMLInputElement && autocomplete.includes("off")) return "its site wants nothing filled in there";
  if (isSearch(field, names)) return "it is for a search";
  return isHidden(field) ? "its letters are hidden" : null;
}

function namesOf(field) {
  const told = ["name", "id", "aria-label", "placeholder", "title", "data-testid"].map((key) => field.getAttribute(key) ?? "");
  return [...told, ...[...(field.labels ?? [])].map((label) => label.textContent.slice(0, 200))];
}

function isSearch(field, names) {
  if (field.getAttribute("role") === "searchbox" || field.closest("[role=search], search") !== null) return true;
  return field instanceof HTMLInputElement && names.some((name) => SEARCH.test(name));
}

/** Whether it shows dots for letters, as a field for passwords without the type does. */
const isHidden = (field) => !["", "none"].includes(getComputedStyle(field).webkitTextSecurity ?? "");
