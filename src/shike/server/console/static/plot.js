// Plots of a page: uPlot, in the colours of the theme. The data of a plot stands in its figure, as JSON:
//   {"x": [...], "time": true, "unit": "s", "stacked": false, "max": null,
//    "series": [{"name": "...", "y": [...], "color": "accent", "kind": "bars" | "line" | "area" | "points"}]}
// `x` is in seconds since 1970 where `time` is true. `null` in `y` is a gap.
"use strict";
(() => {
  const plots = new WeakMap();
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const resolved = (name) => {
    // light-dark() is resolved where it is used as a colour
    const probe = document.createElement("span");
    probe.style.color = color(name);
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };
  const faded = (rgb, alpha) => rgb.replace(/^rgb\(([^)]*)\)$/, `rgba($1, ${alpha})`);
  const short = (value, unit) => {
    if (value == null) return "–";
    if (unit !== "s") return Math.abs(value) >= 10000 ? `${+(value / 1000).toPrecision(3)}k` : String(+value.toPrecision(4));
    if (value !== 0 && Math.abs(value) < 1) return `${+(value * 1000).toPrecision(3)} ms`;
    return Math.abs(value) < 120 ? `${+value.toPrecision(3)} s` : `${+(value / 60).toPrecision(3)} min`;
  };

  function options(figure, data, width) {
    const grid = resolved("line");
    const muted = resolved("muted");
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: muted, font, grid: { stroke: grid, width: 1 }, ticks: { show: false }, gap: 4 };
    const names = JSON.parse(figure.dataset.names || "{}"); // in the language of whoever looks
    const series = data.series.map(({ name, color: tone, kind }) => {
      const stroke = resolved(tone || "accent");
      const base = { label: names[name] || name, stroke, width: 1.5, points: { show: kind === "points", size: 4, fill: stroke }, value: (_, y) => short(y, data.unit) };
      if (kind === "bars") return { ...base, width: 0, fill: stroke, points: { show: false }, paths: uPlot.paths.bars({ size: [0.9, 40, 1], align: 1 }) };
      if (kind === "area") return { ...base, fill: faded(stroke, 0.18), paths: uPlot.paths.stepped({ align: 1 }) };
      if (kind === "points") return { ...base, paths: () => null };
      return base;
    });
    return {
      width, height: Number(figure.dataset.height) || 140,
      padding: [8, 8, 0, 0],
      legend: { show: data.series.length > 1 || data.legend === true },
      cursor: { y: false, points: { size: 6 } },
      scales: { x: { time: Boolean(data.time) }, y: { range: (_, low, high) => [0, data.max || Math.max(high || 0, data.least || 1) * 1.08] } },
      axes: [
        { ...axis, grid: { show: false }, size: 26, ...(data.time ? { values: "{HH}:{mm}:{ss}", space: 72 } : { space: 44 }) },
        { ...axis, size: 52, space: 28, values: (_, ticks) => ticks.map((tick) => short(tick, data.unit)) },
      ],
      series: [{ label: data.time ? names.time || "" : names[data.name] || data.name || "", value: data.time ? "{HH}:{mm}:{ss}" : (_, x) => (x == null ? "–" : x) }, ...series],
    };
  }
  const columns = (data) => [data.x, ...data.series.map((one) => one.y)];

  function draw(figure, data) {
    plots.get(figure)?.plot.destroy();
    const width = Math.max(figure.clientWidth, 120);
    plots.set(figure, { data, plot: new uPlot(options(figure, data, width), columns(data), figure) });
  }
  function update(figure, data) {
    const known = plots.get(figure);
    if (!data) return;
    if (!known || known.data.series.length !== data.series.length) return draw(figure, data);
    known.data = data;
    known.plot.setData(columns(data));
  }
  function begin(root) {
    for (const figure of root.querySelectorAll("[data-plot]")) {
      if (!plots.has(figure)) {
        draw(figure, JSON.parse(figure.querySelector("script").textContent));
        sizes.observe(figure);
      }
    }
  }
  const sizes = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const known = plots.get(target);
      if (known && contentRect.width > 0 && Math.abs(known.plot.width - contentRect.width) > 1) {
        known.plot.setSize({ width: contentRect.width, height: known.plot.height });
      }
    }
  });
  window.shikePlot = { update, begin };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const figure of document.querySelectorAll("[data-plot]")) if (plots.has(figure)) draw(figure, plots.get(figure).data);
  });
  document.addEventListener("htmx:load", (event) => begin(event.detail.elt.parentNode || document));
  begin(document);
})();
