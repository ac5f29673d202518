// Draws the charts from the data beside them, and makes them answer buttons and arrow keys.
// Vega-Lite does the drawing and the values under the pointer.
"use strict";

const voice = document.querySelector(".said");

/** Show a text, which a screen reader reads aloud. */
function speak(text) {
  voice.textContent = text;
}

/** Write a number for a reader. */
function said(value) {
  const size = Math.abs(value);
  const decimals = Number.isInteger(value) || size >= 100 ? 0 : size < 1 ? 4 : 2;
  const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return value.toLocaleString("en", digits);
}

/** A panel: what Vega-Lite draws, and its points line by line with the texts that tell of them. */
class Panel {
  constructor(chart, figure) {
    this.chart = chart;
    this.drawing = figure.querySelector(".drawing");
    this.spec = JSON.parse(figure.querySelector("script").textContent);
    this.lines = [];
    for (const [name, [columns, ...rows]] of Object.entries(this.spec.datasets)) {
      this.spec.datasets[name] = rows.map((values) => this.row(columns, values));
      for (const row of this.spec.datasets[name]) (this.lines[row.line] ??= []).push(row);
    }
    this.line = 0;
    this.point = -1;
    const view = figure.querySelector(".view");
    view.addEventListener("keydown", (event) => this.press(event));
    view.addEventListener("blur", () => speak(""));
  }

  row(columns, values) {
    const row = {};
    columns.forEach((column, n) => values[n] === null || (row[column] = values[n]));
    const label = this.spec.usermeta.labels[row.line] ?? "";
    row.name = row.name?.startsWith(label) ? row.name : [label, row.name].filter(Boolean).join(", ");
    for (const name of ["x", "y"]) if (name in row) row[`${name}_said`] = this.tell(name, row);
    return row;
  }

  /** A value as its reader says it, with its interval. */
  tell(name, row) {
    const { names } = this.spec.usermeta[name];
    const [value, low, high] = ["", 0, 1].map((end) => row[name + end]);
    if (value in names) return names[value];
    return low === undefined ? said(value) : `${said(value)} (${said(low)} to ${said(high)})`;
  }

  get hidden() {
    const { labels } = this.spec.usermeta;
    return labels.flatMap((label, line) => (this.chart.hidden.has(label) ? [line] : []));
  }

  async draw() {
    const options = { actions: false, renderer: "svg", tooltip: { theme: "page" } };
    this.view = (await vegaEmbed(this.drawing, this.spec, options)).view;
    await this.update();
  }

  update() {
    return this.view?.signal("hidden", this.hidden).runAsync();
  }

  /** Read the values aloud, point by point, with the arrow keys. */
  press(event) {
    if (event.key === "Escape") speak("");
    const [down, right] = STEPS[event.key] ?? [0, 0];
    const shown = this.lines.filter((line, n) => !this.hidden.includes(n));
    if (!(down || right) || !shown.length) return;
    event.preventDefault();
    const within = (place, length) => Math.min(Math.max(place, 0), length - 1);
    this.line = within(this.line + down, shown.length);
    this.point = within(this.point + right, shown[this.line].length);
    const row = shown[this.line][this.point];
    const values = ["x", "y"].filter((name) => row[`${name}_said`] && !("text" in row))
      .map((name) => `${this.spec.usermeta[name].label} ${row[`${name}_said`]}`);
    speak([row.name, ...values].join(", "));
  }
}

const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

/** A chart: panels that share a legend, whose buttons hide and show. */
class Chart {
  constructor(section) {
    this.section = section;
    this.hidden = new Set();
    this.panels = [...section.querySelectorAll("figure:has(.view)")].map(
      (figure) => new Panel(this, figure));
    for (const button of section.querySelectorAll(".legend button"))
      button.addEventListener("click", () => this.toggle(button));
  }

  draw() {
    this.drawn ??= Promise.all(this.panels.map((panel) => panel.draw()));
  }

  toggle(button) {
    const label = button.dataset.label;
    const shown = this.hidden.delete(label) || !this.hidden.add(label);
    button.setAttribute("aria-pressed", shown);
    for (const panel of this.panels) panel.update();
  }
}

const charts = [...document.querySelectorAll(".chart")].map((section) => new Chart(section));
for (const chart of charts) {
  const details = chart.section.closest("details");
  if (!details) chart.draw();
  else details.addEventListener("toggle", () => details.open && chart.draw());
}

// A link into something folded opens it.
function unfold(hash) {
  const details = hash && document.querySelector(hash)?.closest("details");
  if (!details) return;
  details.open = true;
  details.scrollIntoView();
}
addEventListener("hashchange", () => unfold(location.hash));
addEventListener("click", (event) => unfold(event.target.closest("a[href^='#']")?.hash));
unfold(location.hash);

// What scrolls sideways says so, and takes the keyboard.
const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth + 1;
    if (scrolls) target.setAttribute("tabindex", 0);
    else target.removeAttribute("tabindex");
    target.previousElementSibling.classList.toggle("shown", scrolls);
  }
});
for (const wide of document.querySelectorAll(".wide")) watcher.observe(wide);
