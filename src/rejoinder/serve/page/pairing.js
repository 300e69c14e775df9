/** Browser extensions: let in the one whose code is typed here; see and end what was let in. */

import * as api from "./api.js";
import { byId, day, make } from "./typing/elements.js";

const SOON = 1_000; // milliseconds

export function showPairings() {
  const details = byId("pairings");
  const status = byId("pairings-status");
  let last = Promise.resolve();
  const attempt = (asked, said = null) => (last = last.then(() => one(asked, said))); // one after the other: the last answer is the newest
  const one = async (asked, said) => {
    try {
      list((await asked()).paired);
      if (said !== null) status.textContent = said;
    } catch (error) {
      status.textContent = error.message;
    }
  };

  details.addEventListener("toggle", () => details.open && attempt(api.pairings));
  details.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = byId("code").value;
    byId("code").value = "";
    attempt(() => api.pair(code), "That extension may ask now.").then(() => setTimeout(again, SOON, 5));
  });
  if (location.hash === "#pairings") details.open = true;

  /** The extension fetches its token within a second or two: it stands in the list then. */
  async function again(times) {
    const before = byId("pairings-list").textContent;
    await attempt(api.pairings);
    if (times > 1 && byId("pairings-list").textContent === before) setTimeout(again, SOON, times - 1);
  }

  function list(paired) {
    byId("pairings-list").replaceChildren(...paired.map(item));
  }

  function item({ id, name, since }) {
    const end = make("button", { type: "button", ariaLabel: `End the pairing with ${name} of ${day(since)}` }, "End");
    end.addEventListener("click", () => attempt(() => api.unpair(id), "That extension may no longer ask."));
    return make("li", {}, make("span", {}, `${name}, since ${day(since)}`), end);
  }
}
