/** The rungs that are fitted here, and the way to the full report. */

import * as api from "./api.js";
import { byId, make } from "./typing/elements.js";

/** Fill the ladder when it is first opened. */
export function showLadder() {
  const details = byId("ladder");
  details.addEventListener("toggle", async () => {
    if (!details.open || details.dataset.filled) return;
    details.dataset.filled = "yes";
    const body = byId("ladder-body");
    try {
      const { rungs } = await api.rungs();
      const report = await api.ladder().then(() => true, () => false);
      body.replaceChildren(table(rungs), report ? reportLink() : hint());
    } catch (error) {
      delete details.dataset.filled;
      body.replaceChildren(make("p", { className: "hint" }, error.message));
    }
  });
}

const reportLink = () => make("p", {}, make("a", { href: "/ladder", target: "_blank", rel: "noopener" }, "The full report: quality and cost, rung by rung"));
const hint = () => make("p", { className: "hint" }, "No report yet. ", make("code", {}, "rejoinder ladder"), " measures every rung on this archive.");

function table(rungs) {
  const head = make("thead", {}, make("tr", {}, ...["rung", "what it is", "here"].map((name) => make("th", { scope: "col" }, name))));
  const rows = rungs.map(({ name, what, fitted, shipped }) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, what ?? ""), make("td", {}, shipped ? "package" : fitted ? "fitted" : "–")),
  );
  return make("div", { className: "wide", tabIndex: 0, role: "group", ariaLabel: "The rungs" }, make("table", {}, head, make("tbody", {}, ...rows)));
}
