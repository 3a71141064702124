"use strict";
// A trial under the pointer is marked wherever it is drawn.
const told = JSON.parse(document.getElementById("trials").textContent);
const tip = document.getElementById("tip");
let hot = null;

function mark(trial) {
  if (trial === hot) return;
  for (const old of document.querySelectorAll(".hot")) old.classList.remove("hot");
  hot = trial;
  if (trial === null) return;
  for (const found of document.querySelectorAll(`[data-trial="${trial}"]`)) found.classList.add("hot");
}

document.addEventListener("pointermove", (event) => {
  const found = event.target.closest("[data-trial]");
  mark(found ? found.dataset.trial : null);
  const text = found && found.closest("svg") ? told[found.dataset.trial] : null;
  tip.style.display = text ? "block" : "none";
  if (!text) return;
  tip.textContent = text;
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
  tip.style.top = `${Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 8)}px`;
});

// Columns are sorted by their heads; cells without a value stay last.
for (const head of document.querySelectorAll("th[data-sort]")) {
  const button = document.createElement("button");
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const body = head.closest("table").tBodies[0];
    const value = (row) => {
      const cell = row.cells[head.cellIndex];
      return cell.dataset.value ?? cell.textContent;
    };
    const order = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const [p, q] = [Number(x), Number(y)];
      const both = Number.isNaN(p) || Number.isNaN(q) ? x.localeCompare(y) : p - q;
      return up ? both : -both;
    };
    const rows = [...body.rows].sort(order);
    body.append(...rows);
    const folded = body.dataset.fold;
    rows.forEach((row, place) => row.classList.toggle("more", folded && place >= folded));
  });
}

for (const button of document.querySelectorAll("button.fold")) {
  const table = document.getElementById(button.dataset.table);
  table.classList.add("folded");
  button.hidden = false;
  button.addEventListener("click", () => {
    const folded = table.classList.toggle("folded");
    button.textContent = folded ? button.dataset.more : "Show fewer";
  });
}

// Along an axis of the parallel coordinates a range is chosen by dragging.
for (const picture of document.querySelectorAll("svg.ways")) {
  const chosen = new Map();
  const ways = [...picture.querySelectorAll(".way")];
  const show = () => {
    for (const way of ways) {
      const outside = [...chosen].some(([place, [low, high]]) => {
        const y = way.points[place].y;
        return y < low || y > high;
      });
      way.classList.toggle("outside", outside);
    }
  };
  for (const brush of picture.querySelectorAll(".brush")) {
    const place = Number(brush.dataset.axis);
    const range = picture.querySelector(`.chosen[data-axis="${place}"]`);
    const height = (event) => new DOMPoint(event.clientX, event.clientY)
      .matrixTransform(picture.getScreenCTM().inverse()).y;
    let begin = null;
    brush.addEventListener("pointerdown", (event) => {
      brush.setPointerCapture(event.pointerId);
      begin = height(event);
      chosen.delete(place);
      range.setAttribute("height", 0);
      show();
    });
    brush.addEventListener("pointermove", (event) => {
      if (begin === null) return;
      const ends = [begin, height(event)].sort((a, b) => a - b);
      chosen.set(place, ends);
      range.setAttribute("y", ends[0]);
      range.setAttribute("height", ends[1] - ends[0]);
      show();
    });
    brush.addEventListener("pointerup", () => { begin = null; });
  }
}
