/** Browser extensions: let in the one whose code is typed here; see and end what was let in. */

import * as api from "./api.js";
import { byId, day, make } from "./typing/elements.js";

export function showPairings() {
  const details = byId("pairings");
  const status = byId("pairings-status");
  const attempt = async (asked, said = "") => {
    try {
      list((await asked()).paired);
      status.textContent = said;
    } catch (error) {
      status.textContent = error.message;
    }
  };

  details.addEventListener("toggle", () => details.open && attempt(api.pairings));
  details.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const code = byId("code").value;
    byId("code").value = "";
    attempt(() => api.pair(code), "That extension may ask now.");
  });
  if (location.hash === "#pairings") details.open = true;

  function list(paired) {
    byId("pairings-list").replaceChildren(...paired.map(item));
  }

  function item({ id, name, since }) {
    const end = make("button", { type: "button", ariaLabel: `End the pairing with ${name} of ${day(since)}` }, "End");
    end.addEventListener("click", () => attempt(() => api.unpair(id), "That extension may no longer ask."));
    return make("li", {}, make("span", {}, `${name}, since ${day(since)}`), end);
  }
}
