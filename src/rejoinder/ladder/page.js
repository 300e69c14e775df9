"use strict";
// Tables sort by their headings: better first, then worse first, then as they were. What has no figure stays last.
const order = new Intl.Collator("en", { numeric: true });

function compare(column, sign) {
  const key = (row) => row.cells[column].dataset.value ?? "";
  return (one, other) => {
    const [a, b] = [key(one), key(other)];
    if (!a || !b) return Number(!a) - Number(!b);
    const [x, y] = [Number(a), Number(b)];
    return sign * (Number.isNaN(x) || Number.isNaN(y) ? order.compare(a, b) : x - y);
  };
}

function sortBy(table, head) {
  const body = table.tBodies[0];
  table.rowsAtFirst ??= [...body.rows];
  const ways = head.dataset.better === "higher" ? ["descending", "ascending", "none"] : ["ascending", "descending", "none"];
  const way = ways[(ways.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
  for (const other of head.parentElement.cells) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", way);
  const rows = [...table.rowsAtFirst];
  if (way !== "none") rows.sort(compare(head.cellIndex, way === "ascending" ? 1 : -1));
  body.append(...rows);
}

for (const table of document.querySelectorAll("table")) {
  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sortBy(table, head));
  }
}
document.documentElement.classList.add("sorts");
