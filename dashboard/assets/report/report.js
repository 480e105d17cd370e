// Draws the first chart of a report at once, others when they come into view; says in words what is clicked.
(() => {
  const figures = JSON.parse(document.getElementById("charts").textContent);
  const places = [...document.querySelectorAll(".chart")];
  const text = (point) => {
    const said = point.customdata ?? point.text ?? point.y;
    return String(Array.isArray(said) ? said[0] : said).replace(/<[^>]*>/g, " ");
  };
  const draw = (place) => {
    const figure = figures[places.indexOf(place)];
    const ink = getComputedStyle(document.body).color;
    const layout = {
      ...figure.layout,
      width: undefined,
      autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { ...(figure.layout.font || {}), family: getComputedStyle(document.body).fontFamily, color: ink },
      template: {},
    };
    Plotly.newPlot(place, figure.data, layout, { displayModeBar: false, responsive: true });
    place.on("plotly_click", (event) => {
      const picked = place.parentElement.querySelector(".picked");
      picked.textContent = event.points.map(text).join(" \u00b7 ");
    });
  };
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "300px" });
  places.slice(0, 1).forEach(draw);
  places.slice(1).forEach((place) => seen.observe(place));
  const redraw = () => places.filter((place) => place.data).forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => places.filter((place) => !place.data).forEach(draw));
})();
