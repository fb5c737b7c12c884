/* The map: all crystals as points, the results as rings. Colours are viridis and those of Okabe and Ito. */
"use strict";

(() => {
  const clac = (window.clac = window.clac || {});
  const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  const CLASSES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d1f"];
  const UNKNOWN = "#9aa0a8";
  let data = null;

  const viridis = (share) => {
    const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
    const [low, part] = [Math.min(Math.floor(at), VIRIDIS.length - 2), at - Math.min(Math.floor(at), VIRIDIS.length - 2)];
    return `rgb(${VIRIDIS[low].map((value, i) => Math.round(value + part * (VIRIDIS[low + 1][i] - value))).join(",")})`;
  };

  clac.map = async ({ element, props, trigger, watch }) => {
    const canvas = element.querySelector("canvas");
    const choice = element.querySelector("select");
    const legend = element.querySelector(".map-legend");
    const label = element.querySelector(".map-name");
    data ??= fetch("clac-map.json").then((answer) => answer.json());
    const points = await data;
    for (const [column, own] of Object.entries(points.values)) {
      choice.append(new Option(own.unit ? `${own.label} (${own.unit})` : own.label, column));
    }
    if (points.systems.length) choice.append(new Option("crystal system", "system"));
    element.querySelector(".map-method").textContent = points.method;
    let [hits, similarity, pointed] = [[], null, -1];
    let view = { x: 0, y: 0, zoom: 1 };

    const shares = () => {
      const own = points.values[choice.value];
      if (choice.value === "similarity") return similarity ? (row) => similarity[row] / 255 : () => null;
      return (row) => (own.numbers[row] === null ? null : (own.numbers[row] - own.low) / (own.high - own.low));
    };
    const colours = () => {
      if (choice.value === "system") return (row) => CLASSES[points.systems[row]] ?? UNKNOWN;
      const share = shares();
      return (row) => (share(row) === null ? UNKNOWN : viridis(share(row)));
    };
    const place = (row) => {
      const side = Math.min(canvas.width, canvas.height) * 0.94 * view.zoom;
      return [
        canvas.width / 2 + (points.x[row] / 10000 - 0.5) * side + view.x,
        canvas.height / 2 - (points.y[row] / 10000 - 0.5) * side + view.y,
      ];
    };
    const draw = () => {
      const scale = window.devicePixelRatio || 1;
      canvas.width = canvas.clientWidth * scale;
      canvas.height = canvas.clientHeight * scale;
      const pen = canvas.getContext("2d");
      const colour = colours();
      const radius = 2 * scale * Math.sqrt(view.zoom);
      for (let row = 0; row < points.x.length; row++) {
        const [x, y] = place(row);
        pen.fillStyle = colour(row);
        pen.globalAlpha = pen.fillStyle === UNKNOWN ? 0.35 : 0.8;
        pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
      }
      pen.globalAlpha = 1;
      pen.lineWidth = 2 * scale;
      const line = document.body.classList.contains("dark") ? "#ffffff" : "#000000";
      for (const row of [...hits, ...(pointed >= 0 ? [pointed] : [])]) {
        pen.strokeStyle = row === pointed ? "#d55e00" : line;
        pen.beginPath();
        pen.arc(...place(row), (row === pointed ? 9 : 6) * scale, 0, 2 * Math.PI);
        pen.stroke();
      }
      canvas.dataset.points = points.x.length;
      canvas.dataset.hits = hits.length;
    };
    const describe = () => {
      const own = points.values[choice.value];
      const number = (value) => Number(value.toPrecision(3));
      if (choice.value === "system") {
        legend.replaceChildren(...points.system_names.map((name, place) => {
          const item = document.createElement("span");
          const swatch = document.createElement("span");
          swatch.className = "swatch";
          swatch.style.background = CLASSES[place];
          item.append(swatch, name);
          return item;
        }));
        return;
      }
      const bar = document.createElement("span");
      bar.className = "map-bar";
      const ends = own ? [number(own.low), `${number(own.high)} ${own.unit}; grey is unknown`] : ["least", "most similar"];
      legend.replaceChildren(String(ends[0]), bar, String(ends[1]));
    };
    const update = () => {
      const value = props.value ? JSON.parse(props.value) : { hits: [], similarity: "" };
      hits = value.hits;
      similarity = value.similarity ? Uint8Array.from(atob(value.similarity), (each) => each.charCodeAt(0)) : null;
      draw();
      describe();
    };
    const nearest = (event) => {
      const [box, scale] = [canvas.getBoundingClientRect(), window.devicePixelRatio || 1];
      const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
      let [best, least] = [-1, (12 * scale) ** 2];
      for (let row = 0; row < points.x.length; row++) {
        const [px, py] = place(row);
        const distance = (px - x) ** 2 + (py - y) ** 2;
        if (distance < least) [best, least] = [row, distance];
      }
      return best;
    };
    const point = (row) => {
      if (row === pointed) return;
      pointed = row;
      label.textContent = row >= 0 ? points.names[row] : "";
      draw();
    };

    watch("value", update);
    choice.addEventListener("change", update);
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => (drag = { x: event.clientX, y: event.clientY, moved: false }));
    canvas.addEventListener("pointermove", (event) => {
      if (!drag || !event.buttons) return point(nearest(event));
      const scale = window.devicePixelRatio || 1;
      view.x += (event.clientX - drag.x) * scale;
      view.y += (event.clientY - drag.y) * scale;
      drag = { x: event.clientX, y: event.clientY, moved: drag.moved || Math.hypot(event.movementX, event.movementY) > 2 };
      draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      const row = drag?.moved ? -1 : nearest(event);
      drag = null;
      if (row >= 0) trigger("pick", { row, map: true });
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const factor = event.deltaY < 0 ? 1.2 : 1 / 1.2;
      const zoom = Math.min(Math.max(view.zoom * factor, 1), 40);
      view = { x: (view.x * zoom) / view.zoom, y: (view.y * zoom) / view.zoom, zoom };
      draw();
    }, { passive: false });
    element.querySelector("button.reset").addEventListener("click", () => {
      view = { x: 0, y: 0, zoom: 1 };
      draw();
    });
    /* A row of the table is found on the map. */
    const fromTable = (event) => {
      const open = event.target.closest?.(".clac-results tbody tr")?.querySelector("[data-row]");
      if (open) point(Number(open.dataset.row));
    };
    document.addEventListener("mouseover", fromTable);
    document.addEventListener("focusin", fromTable);
    new ResizeObserver(draw).observe(canvas);
    new MutationObserver(draw).observe(document.body, { attributeFilter: ["class"] });
    update();
  };
})();
