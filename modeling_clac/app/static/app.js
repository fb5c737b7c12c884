/* Behaviour of the page: what is clicked becomes an event of gradio. All content comes from the server, escaped. */
"use strict";

(() => {
  const clac = (window.clac = window.clac || {});

  /* Buttons that carry a text: examples and chips. */
  clac.texts = ({ element, trigger }) => {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-text]");
      if (button) trigger("choose", { text: button.dataset.text, part: button.dataset.part ?? "" });
    });
  };

  clac.plain = () => {};

  /* The table of results: sorted here, rows are opened and compared by the server. */
  clac.results = ({ element, trigger, watch }) => {
    watch("value", () => {
      const found = element.querySelector("[data-link]");
      /* The address bar shows the search. */
      if (found) history.replaceState(null, "", new URL(found.dataset.link, window.location.href.split("?")[0]));
      /* Boxes that gradio reuses for other crystals keep their ticks. */
      for (const box of element.querySelectorAll("input[data-compare]")) box.checked = false;
    });
    element.addEventListener("click", (event) => {
      const sort = event.target.closest("th[data-key] button");
      if (sort) return sortTable(sort.closest("th"));
      const open = event.target.closest("button[data-row]");
      if (open) trigger("pick", { row: Number(open.dataset.row) });
    });
    element.addEventListener("change", (event) => {
      if (!event.target.matches("input[data-compare]")) return;
      const chosen = [...element.querySelectorAll("input[data-compare]:checked")];
      if (chosen.length > 4) {
        event.target.checked = false;
        return;
      }
      trigger("compare", { rows: chosen.map((box) => Number(box.dataset.compare)) });
    });
  };

  const sortTable = (head) => {
    const table = head.closest("table");
    const place = [...head.parentNode.children].indexOf(head);
    const descending = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.children) {
      if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    }
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const value = (row) => row.children[place].dataset.sort;
    const body = table.tBodies[0];
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      /* Unknown values stay at the end. */
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : Number(x) - Number(y);
      return descending ? -order : order;
    });
    body.append(...rows);
  };

  /* The search as a link, a command and Python, which buttons copy. */
  clac.share = ({ element, watch }) => {
    const update = () => {
      const link = element.querySelector("[data-link]");
      if (!link) return;
      link.querySelector("code").textContent = new URL(link.dataset.link, window.location.href.split("?")[0]).href;
    };
    watch("value", update);
    update();
    element.addEventListener("click", async (event) => {
      const button = event.target.closest("button.copy");
      if (!button) return;
      await navigator.clipboard.writeText(button.parentNode.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  };

  /* The periodic table: one tab stop, arrow keys go to the nearest element in their direction. */
  clac.periodic = ({ element, trigger }) => {
    element.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-symbol]");
      if (button) trigger("element", { symbol: button.dataset.symbol });
    });
    element.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const from = event.target.closest("button[data-symbol]");
      if (!step || !from) return;
      event.preventDefault();
      const at = (button) => [Number(button.dataset.x), Number(button.dataset.y)];
      const [x, y] = at(from);
      const away = (button) => {
        const [along, across] = [(at(button)[0] - x) * step[0] + (at(button)[1] - y) * step[1],
          (at(button)[0] - x) * step[1] + (at(button)[1] - y) * step[0]];
        return along > 0 && across === 0 ? along : Infinity;
      };
      const buttons = [...element.querySelectorAll("button[data-symbol]")];
      const next = buttons.reduce((best, each) => (away(each) < away(best) ? each : best), from);
      for (const each of buttons) each.tabIndex = each === next ? 0 : -1;
      next.focus();
    });
  };

  /* Sliders: bars within the range are coloured while one moves, the search follows when it stops. */
  clac.ranges = ({ element, trigger, watch }) => {
    const ends = (range) => {
      const [low, high] = ["min", "max"].map((end) => range.querySelector(`input[data-end=${end}]`));
      const any = low || high;
      return { least: Number(any.min), most: Number(any.max), low: Number(low ? low.value : any.min), high: Number(high ? high.value : any.max) };
    };
    const paint = (range) => {
      const { least, most, low, high } = ends(range);
      const bars = [...range.querySelectorAll("rect")];
      bars.forEach((bar, place) => {
        const middle = least + ((place + 0.5) / bars.length) * (most - least);
        bar.classList.toggle("out", middle < Math.min(low, high) || middle > Math.max(low, high));
      });
    };
    const paintAll = () => element.querySelectorAll(".range").forEach(paint);
    element.addEventListener("input", (event) => paint(event.target.closest(".range")));
    element.addEventListener("change", (event) => {
      const range = event.target.closest(".range");
      const { low, high } = ends(range);
      trigger("range", { column: range.dataset.column, low, high });
    });
    watch("value", paintAll);
    paintAll();
  };

  /* The panel of a crystal. */
  clac.panel = ({ element, trigger, watch }) => {
    const show = () => element.scrollIntoView({ block: "nearest" });
    if (window.innerWidth < 900) {
      show();
      watch("value", show);
    }
    element.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-event]");
      if (button) trigger(button.dataset.event, {});
    });
  };

  /* A file that the server wrote. */
  clac.downloads = ({ props, watch }) => {
    watch("value", () => {
      if (!props.value) return;
      const file = JSON.parse(props.value);
      const bytes = Uint8Array.from(atob(file.content), (character) => character.charCodeAt(0));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([bytes], { type: file.kind }));
      link.download = file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  };
})();
