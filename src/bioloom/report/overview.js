"use strict";
const body = document.querySelector("tbody");
const rows = [...body.rows];
const heads = [...document.querySelectorAll("thead th")];
const filter = document.getElementById("filter");
const choice = document.getElementById("sort"); // where there is no room for the heads

const shown = () => {
  for (const row of rows) row.hidden = filter.value !== "" && row.dataset.application !== filter.value;
  const count = rows.filter((row) => !row.hidden).length;
  document.getElementById("count").textContent = count === rows.length ? "" : `${count} of ${rows.length}`;
};

const value = (row, column, isNumber) => {
  const cell = row.cells[column];
  return isNumber ? parseFloat(cell.dataset.value || "-Infinity") : cell.textContent.trim();
};

// Numbers from the largest, words from A; a second time the other way, then as the page had them.
const sort = (head) => {
  const isNumber = head?.dataset.sort === "number";
  const orders = isNumber ? ["descending", "ascending"] : ["ascending", "descending"];
  const next = head && [...orders, null][orders.indexOf(head.getAttribute("aria-sort")) + 1];
  for (const other of heads) other.removeAttribute("aria-sort");
  let sorted = rows;
  if (next) {
    head.setAttribute("aria-sort", next);
    const sign = next === "ascending" ? 1 : -1;
    const column = heads.indexOf(head);
    const compared = (a, b) => isNumber ? a - b : a.localeCompare(b);
    sorted = [...rows].sort((a, b) =>
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
  choice.append(new Option(head.textContent, heads.indexOf(head)));
}
choice.addEventListener("change", () => sort(heads[choice.value]));
document.querySelector(".tools").hidden = rows.length < 2;
filter.addEventListener("change", shown);
shown(); // a browser may keep what was chosen before a reload
