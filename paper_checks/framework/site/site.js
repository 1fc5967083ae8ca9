"use strict";

/* Buttons that copy, where there is a script to do it. */
for (const button of document.querySelectorAll("button.copy")) {
  const source = button.parentElement.querySelector("pre");
  const label = button.textContent;
  const say = (text) => {
    button.textContent = text;
    setTimeout(() => { button.textContent = label; }, 1500);
  };
  button.setAttribute("aria-live", "polite");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      say("Copied");
    } catch { // no permission: leave it selected
      getSelection().selectAllChildren(source);
      say("Selected");
    }
  });
}

/* Tables sort by their head. A cell's data-sort goes before its text; numbers sort as numbers, and after them the rest. */
const key = (row, column) => {
  const cell = row.cells[column];
  const text = (cell?.dataset.sort ?? cell?.textContent ?? "").trim();
  const number = Number(text.replace("−", "-").replaceAll(",", ""));
  return text === "" || Number.isNaN(number) ? text : number;
};
const compare = (x, y) => {
  if (typeof x === typeof y) return typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
  return typeof x === "number" ? -1 : 1;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    let button = head.querySelector("button");
    if (!button) {
      button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
    }
    button.type = "button";
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      for (const body of table.tBodies) {
        const rows = [...body.rows].map((row) => [key(row, column), row]);
        const empty = rows.filter(([text]) => text === "");
        const full = rows.filter(([text]) => text !== "").sort(([x], [y]) => (down ? compare(y, x) : compare(x, y)));
        body.append(...[...full, ...empty].map(([, row]) => row)); // what is not there stays last
      }
    });
  });
}

/* On paper nothing can be opened. */
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open]):not(.copyable)")];
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});
