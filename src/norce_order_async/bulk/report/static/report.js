"use strict";
// Draws each chart in its place; the drawing for paper stays below it, and is shown where this does not run.
for (const chart of CHARTS) {
  const place = document.getElementById(chart.id);
  const quiet = getComputedStyle(document.documentElement).getPropertyValue("--quiet").trim();
  const line = getComputedStyle(document.documentElement).getPropertyValue("--line").trim();
  const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const options = {
    width: place.clientWidth,
    height: 200,
    series: [{}].concat(chart.series.map((one) => ({ label: one.name, stroke: one.colour, width: 1.5, spanGaps: true }))),
    axes: [Object.assign({}, axis, { values: (_, marks) => marks.map((mark) => mark + " s") }), Object.assign({}, axis, { size: 64, values: (_, marks) => marks.map((mark) => mark + (chart.unit ? " " + chart.unit : "")) })],
    scales: { x: { time: false }, y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
    cursor: { drag: { x: true, y: false } },
  };
  const drawn = new uPlot(options, [chart.times.map((at) => at - chart.times[0])].concat(chart.series.map((one) => one.values)), place);
  place.classList.add("drawn");
  window.addEventListener("resize", () => drawn.setSize({ width: place.clientWidth, height: 200 }));
}
