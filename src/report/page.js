// SPDX-License-Identifier: Apache-2.0
// The page is complete without this script: it adds reading values by pointing, and the choice of a scale.
"use strict";
const number = new Intl.NumberFormat("en", {maximumSignificantDigits: 4});
const show = (value) => value === null ? "–" : Math.abs(value) < 1e-4 && value !== 0 ? value.toExponential(2)
  : Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : number.format(value);

for (const figure of document.querySelectorAll(".chart")) {
  const x = JSON.parse(figure.dataset.x), values = JSON.parse(figure.dataset.values);
  const from = +figure.dataset.from, to = +figure.dataset.to;
  const fields = [...figure.querySelectorAll(".legend b")], last = fields.map((field) => field.textContent);
  for (const area of figure.querySelectorAll(".area")) {
    const cursor = area.querySelector("i"), name = area.parentElement.querySelector(".x-name");
    const unit = name.textContent;
    area.addEventListener("pointermove", (event) => {
      const box = area.getBoundingClientRect();
      const at = from + (to - from) * (event.clientX - box.left) / box.width;
      let nearest = 0;
      for (let i = 1; i < x.length; ++i) if (Math.abs(x[i] - at) < Math.abs(x[nearest] - at)) nearest = i;
      if (x.length === 0) return;
      cursor.style.display = "block";
      cursor.style.left = `${100 * (x[nearest] - from) / (to - from)}%`;
      name.textContent = `${unit} ${show(x[nearest])}`;
      fields.forEach((field, i) => { field.textContent = show(values[i][nearest]); });
    });
    area.addEventListener("pointerleave", () => {
      cursor.style.display = "none";
      name.textContent = unit;
      fields.forEach((field, i) => { field.textContent = last[i]; });
    });
  }
  const buttons = [...figure.querySelectorAll(".scales button")], plots = [...figure.querySelectorAll(".plot")];
  const choose = (chosen) => {
    plots.forEach((plot, i) => { plot.hidden = i !== chosen; });
    buttons.forEach((button, i) => { button.setAttribute("aria-pressed", i === chosen); });
  };
  buttons.forEach((button, i) => { button.addEventListener("click", () => choose(i)); });
  if (buttons.length > 0) choose(0);
}

for (const map of document.querySelectorAll(".cells")) {
  const width = +map.dataset.width, cells = map.dataset.cells.split(" ");
  const readout = map.parentElement.querySelector(".readout");
  map.addEventListener("pointermove", (event) => {
    const box = map.getBoundingClientRect();
    const cell = (place) => Math.min(width - 1, Math.max(0, Math.floor(width * place)));
    const column = cell((event.clientX - box.left) / box.width), row = cell((event.clientY - box.top) / box.height);
    readout.textContent = `feature ${row} of view 1, ${column} of view 2: ${(cells[row * width + column] / 100).toFixed(2)}`;
  });
  map.addEventListener("pointerleave", () => { readout.textContent = ""; });
}
