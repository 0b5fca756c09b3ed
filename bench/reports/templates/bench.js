"use strict";
// Tables: a press on a head sorts by it, a second one the other way, a third restores the order.
const valueOf = cell => {
  const text = cell.dataset.v ?? cell.textContent.trim();
  return text === "" || text === "–" ? null : isNaN(text) ? text.toLowerCase() : Number(text);
};
const compare = (a, b) =>
  a === null || b === null ? (a === null) - (b === null)
    : typeof a === typeof b ? (a > b) - (a < b) : typeof a === "string" ? 1 : -1;
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort by this column";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = {none: "ascending", ascending: "descending", descending: "none"};
      const way = next[head.getAttribute("aria-sort") ?? "none"];
      for (const each of heads) each.removeAttribute("aria-sort");
      const sign = way === "descending" ? -1 : 1;
      const sorted = [...rows];
      if (way !== "none") {
        head.setAttribute("aria-sort", way);
        sorted.sort((a, b) => {
          const [x, y] = [valueOf(a.cells[column]), valueOf(b.cells[column])];
          return x === null || y === null ? compare(x, y) : sign * compare(x, y);
        });
      }
      body.append(...sorted);
    });
  });
}
// Finding: rows of other algorithms are hidden, their marks are dimmed.
const marked = [...document.querySelectorAll("[data-a]")];
const names = new Map(
  [...document.querySelectorAll("tr[data-a]")].map(
    row => [row.dataset.a, row.querySelector(".name").textContent.toLowerCase()]));
const show = wanted => {
  document.body.classList.toggle("dims", wanted !== null);
  for (const each of marked) each.classList.toggle("is-on", !!wanted?.has(each.dataset.a));
};
const box = document.getElementById("find"), input = box.querySelector("input");
let found = null;
const find = () => {
  const words = input.value.toLowerCase().split(/[\s,]+/).filter(Boolean);
  const all = [...names].filter(([, name]) => words.some(word => name.includes(word)));
  found = words.length ? new Set(all.map(([place]) => place)) : null;
  for (const row of document.querySelectorAll("tr[data-a]"))
    row.hidden = found !== null && !found.has(row.dataset.a);
  box.querySelector("span").textContent = found ? `${found.size} of ${names.size}` : "";
  show(found);
};
if (names.size > 1) box.hidden = false;
input.addEventListener("input", find);
// Pointing at an algorithm in a key or chart shows it alone.
for (const each of document.querySelectorAll(".key [data-a], .plot [data-a]")) {
  each.addEventListener("pointerenter", () => show(new Set([each.dataset.a])));
  each.addEventListener("pointerleave", () => show(found));
}
