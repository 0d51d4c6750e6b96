"use strict";

// Tables sort by the button that each heading becomes. Without this script they read the same.
{
  const key = (row, column) => {
    const cell = row.cells[column];
    return "value" in cell.dataset ? cell.dataset.value : cell.textContent.trim();
  };

  // What has no value stays last, whichever way is sorted.
  const compare = (a, b, numeric, sign) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    return sign * (numeric ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true }));
  };

  const sort = (table, heading) => {
    const column = heading.cellIndex;
    const numeric = heading.classList.contains("n");
    // Of numbers the large ones are looked for first.
    const first = numeric ? "descending" : "ascending";
    const second = numeric ? "ascending" : "descending";
    const way = heading.getAttribute("aria-sort") === first ? second : first;
    for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", way);
    const sign = way === "ascending" ? 1 : -1;
    for (const body of table.tBodies) {
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => compare(a, b, numeric, sign));
      body.append(...rows.map(([, row]) => row));
    }
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading));
      heading.append(button);
    }
  }
}

// Only a box that scrolls is a stop of the Tab key; of those, tables are landmarks with a name.
{
  const watch = new ResizeObserver((seen) => {
    for (const { target: box } of seen) {
      const scrolls = box.scrollWidth > box.clientWidth;
      const set = (name, value) =>
        scrolls ? box.setAttribute(name, value) : box.removeAttribute(name);
      set("tabindex", "0");
      if ("name" in box.dataset) {
        set("role", "region");
        set("aria-label", box.dataset.name);
      }
    }
  });
  for (const box of document.querySelectorAll(".scroll")) watch.observe(box);
}

// Paper can't be unfolded.
{
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
  });
}

// One recording is heard at a time.
document.addEventListener(
  "play",
  (event) => {
    for (const each of document.querySelectorAll("audio")) if (each !== event.target) each.pause();
  },
  true,
);
