/* The 3D viewer: draws what `structure_view` returns with 3Dmol.js, which is loaded when the first crystal is shown. */
"use strict";

(() => {
  const clac = (window.clac = window.clac || {});
  const SOURCE = "clac-static/3Dmol-min.js";
  let loading = null;

  const library = () => {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = SOURCE;
      script.onload = () => resolve(window.$3Dmol);
      script.onerror = () => reject(new Error("3Dmol.js could not be loaded"));
      document.head.append(script);
    });
    return loading;
  };

  const point = ([x, y, z]) => ({ x, y, z });
  const colour = (symbol) => {
    const value = window.$3Dmol.elementColors.Jmol[symbol] ?? 0xff1493;
    return "#" + Number(value).toString(16).padStart(6, "0");
  };

  /* How a crystal is turned when it is opened, in degrees about the axes of the screen. */
  const [TILT, TURN] = [-70, 15];
  const [tilt, turn] = [TILT, TURN].map((degrees) => (-degrees * Math.PI) / 180);
  /* Up and right on the screen, and away from the viewer, as directions in the crystal. */
  const UP = [0, Math.cos(tilt), Math.sin(tilt)];
  const RIGHT = [Math.cos(turn), Math.sin(turn) * Math.sin(tilt), -Math.sin(turn) * Math.cos(tilt)];
  const AWAY = [-Math.sin(turn), Math.cos(turn) * Math.sin(tilt), -Math.cos(turn) * Math.cos(tilt)];

  /* Sectors of a sphere about the line of sight, so that all are seen when a crystal is opened: clockwise from the top,
     one for each element on the site; the rest is a vacancy. */
  const sector = (centre, radius, from, to) => {
    const [vertexArr, normalArr, faceArr] = [[], [], []];
    const [across, down] = [Math.max(2, Math.ceil((24 * (to - from)) / (2 * Math.PI))), 12];
    for (let i = 0; i <= across; i++) {
      for (let j = 0; j <= down; j++) {
        const [phi, theta] = [from + ((to - from) * i) / across, (Math.PI * j) / down];
        const [up, right, away] = [Math.sin(theta) * Math.cos(phi), Math.sin(theta) * Math.sin(phi), Math.cos(theta)];
        const normal = UP.map((value, axis) => up * value + right * RIGHT[axis] + away * AWAY[axis]);
        normalArr.push(point(normal));
        vertexArr.push(point(normal.map((value, axis) => centre[axis] + radius * value)));
      }
    }
    for (let i = 0; i < across; i++) {
      for (let j = 0; j < down; j++) {
        const a = i * (down + 1) + j;
        const b = a + down + 1;
        faceArr.push(a, a + 1, b, b, a + 1, b + 1);
      }
    }
    return { vertexArr, normalArr, faceArr };
  };

  const drawSite = (viewer, site, radius) => {
    const total = site.species.reduce((sum, [, share]) => sum + share, 0);
    if (site.species.length === 1 && total > 0.999) {
      const color = colour(site.species[0][0]);
      viewer.addSphere({ center: point(site.position), radius, color, quality: 2 });
      return;
    }
    let from = 0;
    for (const [symbol, share] of [...site.species, ["", Math.max(0, 1 - total)]]) {
      const to = from + 2 * Math.PI * share;
      if (share > 0.001) {
        const shape = sector(site.position, radius, from, to);
        viewer.addCustom({ ...shape, color: symbol ? colour(symbol) : "#ffffff", opacity: symbol ? 1 : 0.55 });
      }
      from = to;
    }
  };

  const drawCell = (viewer, cell, size) => {
    const at = (...n) => point([0, 1, 2].map((axis) => n.reduce((sum, k, i) => sum + k * cell[i][axis], 0)));
    for (let i = 0; i <= size; i++) {
      for (let j = 0; j <= size; j++) {
        for (const [start, end] of [
          [at(0, i, j), at(size, i, j)],
          [at(i, 0, j), at(i, size, j)],
          [at(i, j, 0), at(i, j, size)],
        ]) viewer.addLine({ start, end, color: lineColour() });
      }
    }
  };

  const isDark = () => document.body.classList.contains("dark");
  const lineColour = () => (isDark() ? "#cccccc" : "#333333");

  const drawPolyhedron = (viewer, { centre, corners, faces }) => {
    const [vertexArr, normalArr, faceArr] = [[], [], []];
    for (const face of faces) {
      const [a, b, c] = face.map((corner) => corners[corner]);
      const [u, v] = [b.map((value, i) => value - a[i]), c.map((value, i) => value - a[i])];
      const normal = point([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]);
      for (const corner of [a, b, c]) {
        faceArr.push(vertexArr.length);
        vertexArr.push(point(corner));
        normalArr.push(normal);
      }
    }
    viewer.addCustom({ vertexArr, normalArr, faceArr, color: colour(centre), opacity: 0.6 });
    for (const face of faces) {
      face.forEach((corner, place) => {
        const end = corners[face[(place + 1) % face.length]];
        viewer.addLine({ start: point(corners[corner]), end: point(end), color: colour(centre) });
      });
    }
  };

  clac.viewer = ({ element, props, trigger, watch }) => {
    const stage = element.querySelector(".stage");
    const shown = (name) => element.querySelector(`input[name=${name}]`).checked;
    let [viewer, drawn] = [null, ""];

    const draw = async (keepView) => {
      if (!props.value) return;
      const data = JSON.parse(props.value);
      const $3Dmol = await library();
      viewer ??= $3Dmol.createViewer(stage, { antialias: true });
      const view = keepView ? viewer.getView() : null;
      viewer.removeAllShapes();
      viewer.removeAllLabels();
      viewer.setBackgroundColor(isDark() ? "#111827" : "#ffffff");
      const [bonds, polyhedra] = [shown("bonds"), shown("polyhedra")];
      for (const site of data.sites) {
        if (site.outside && !(bonds || polyhedra)) continue;
        const radius = bonds || polyhedra ? 0.4 : 0.8;
        drawSite(viewer, site, radius);
        if (shown("labels")) {
          const text = site.species.map(([symbol, share]) => symbol + (share < 0.999 ? ` ${share}` : "")).join(", ");
          viewer.addLabel(text, { position: point(site.position), fontSize: 13, inFront: true });
        }
      }
      if (bonds) {
        for (const [a, b] of data.bonds) {
          const [start, end] = [data.sites[a], data.sites[b]];
          const middle = start.position.map((value, axis) => (value + end.position[axis]) / 2);
          for (const site of [start, end]) {
            viewer.addCylinder({
              start: point(site.position), end: point(middle), radius: 0.1, color: colour(site.species[0][0]),
            });
          }
        }
      }
      if (polyhedra) data.polyhedra.forEach((shape) => drawPolyhedron(viewer, shape));
      if (shown("cell")) drawCell(viewer, data.cell, data.size);
      if (view) viewer.setView(view);
      else {
        viewer.zoomTo();
        viewer.rotate(TILT, "x");
        viewer.rotate(TURN, "y");
      }
      viewer.render();
      element.querySelector(".legend").replaceChildren(
        ...Object.entries(data.elements).map(([symbol, name]) => {
          const item = document.createElement("li");
          const swatch = document.createElement("span");
          swatch.className = "swatch";
          swatch.style.background = colour(symbol);
          item.append(swatch, `${symbol} ${name}`);
          return item;
        }),
      );
      stage.dataset.sites = data.sites.length;
      stage.dataset.size = data.size;
    };

    /* Below a long table, as on a phone, a crystal that is opened would be out of sight. */
    const bringIntoSight = () => {
      const { top, bottom } = stage.getBoundingClientRect();
      if (top > window.innerHeight - 100 || bottom < 100) stage.scrollIntoView({ block: "start" });
    };

    const update = () => {
      if (props.value && props.value !== drawn) {
        const same = drawn && JSON.parse(drawn).name === JSON.parse(props.value).name;
        drawn = props.value;
        if (!same) element.querySelector("select").value = "1";
        draw(false).then(() => same || bringIntoSight());
      }
    };
    watch("value", update);
    update();
    element.addEventListener("change", (event) => {
      if (event.target.matches("input")) draw(true);
      if (event.target.matches("select")) trigger("resize", { size: Number(event.target.value) });
    });
    element.addEventListener("click", async (event) => {
      if (!viewer) return;
      if (event.target.matches("button.reset")) draw(false);
      if (event.target.matches("button.png")) {
        const link = document.createElement("a");
        link.href = viewer.pngURI();
        link.download = `${JSON.parse(drawn).name || "crystal"}.png`;
        link.click();
      }
    });
    stage.addEventListener("keydown", (event) => {
      const turn = { ArrowLeft: [-15, "y"], ArrowRight: [15, "y"], ArrowUp: [-15, "x"], ArrowDown: [15, "x"] }[event.key];
      const zoom = { "+": 1.2, "-": 1 / 1.2 }[event.key];
      if (!viewer || !(turn || zoom)) return;
      event.preventDefault();
      if (turn) viewer.rotate(...turn);
      else viewer.zoom(zoom);
      viewer.render();
    });
    /* A theme that is switched redraws lines and background. */
    new MutationObserver(() => viewer && draw(true)).observe(document.body, { attributeFilter: ["class"] });
  };
})();
