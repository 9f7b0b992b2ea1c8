"use strict";
const body = document.querySelector("tbody");
const rows = [...body.rows];
const heads = [...document.querySelectorAll("thead th")];
const filter = document.getElementById("filter");

const shown = () => {
  for (const row of rows) row.hidden = filter.value !== "" && row.dataset.application !== filter.value;
  const count = rows.filter((row) => !row.hidden).length;
  document.getElementById("count").textContent = count === rows.length ? "" : `${count} of ${rows.length}`;
};

const value = (row, column, isNumber) => {
  const cell = row.cells[column];
  return isNumber ? parseFloat(cell.dataset.value || "-Infinity") : cell.textContent.trim();
};

// A second click turns the order round, a third one gives that of the page.
const sort = (head) => {
  const isNumber = head.dataset.sort === "number";
  const orders = isNumber ? ["descending", "ascending"] : ["ascending", "descending"];
  const next = [...orders, null][orders.indexOf(head.getAttribute("aria-sort")) + 1];
  for (const other of heads) other.removeAttribute("aria-sort");
  let sorted = rows;
  if (next) {
    head.setAttribute("aria-sort", next);
    const sign = next === "ascending" ? 1 : -1;
    const column = heads.indexOf(head);
    const compared = (a, b) => isNumber ? a - b : a.localeCompare(b);
    sorted = rows.toSorted((a, b) =>
      sign * (compared(value(a, column, isNumber), value(b, column, isNumber)) || 0));
  }
  body.append(...sorted);
};

for (const head of heads.filter((each) => each.dataset.sort)) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => sort(head));
}
document.querySelector(".tools").hidden = rows.length < 2;
filter.addEventListener("change", shown);
shown(); // a browser may keep what was chosen before a reload
