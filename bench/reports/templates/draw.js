(() => {
  const charts = [...document.querySelectorAll(".chart")];
  const drawn = new Set();
  const config = { displayModeBar: false, responsive: true, doubleClick: "reset" };
  const coarse = matchMedia("(pointer: coarse)").matches;
  function draw(chart) {
    const style = getComputedStyle(document.documentElement);
    const text = document.getElementById(chart.dataset.figure).textContent;
    const figure = JSON.parse(text.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim()));
    if (coarse) figure.layout.dragmode = false;
    if (chart.clientWidth < 640) figure.layout.annotations = figure.layout.annotations.filter((each) => each.name !== "stall");
    Plotly.react(chart, figure.data, figure.layout, config);
    drawn.add(chart);
  }
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "800px" });
  charts.forEach((chart) => near.observe(chart));
  const redraw = () => drawn.forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  matchMedia("print").addEventListener("change", redraw);
  addEventListener("beforeprint", () => {
    charts.forEach(draw);
    document.querySelectorAll("details").forEach((each) => { each.open = true; });
  });
})();
