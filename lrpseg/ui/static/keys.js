// The keyboard: what each key does, and the table that says so.
const lrpsegKeys = (() => {
  const TABLE = [
    ["B, E", "brush, eraser"], ["[ and ]", "smaller, larger"], ["P, C", "polygon: add, cut"],
    ["Enter, Escape, Backspace", "close, drop, shorten the polygon"], ["F, X", "fill a hole, delete a spot"],
    ["Ctrl+Z, Ctrl+Shift+Z", "undo, redo"], ["Space, G", "move the picture"],
    ["Wheel, + and -, 0", "zoom, show all"], ["H", "hide the mask"], ["V", "picture, heatmap, mask"],
    ["A, D", "previous, next picture"], ["Enter", "accept"], ["?", "this table"],
  ];
  const MODES = ["picture", "heatmap", "mask"];
  const FIELDS =
    "input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable=true]";

  /** What each key does, by its name in lower case; `false` leaves the key to the browser. */
  function bindings(app) {
    const canvas = app.view.canvas, middle = [canvas.clientWidth / 2, canvas.clientHeight / 2];
    const found = {
      "[": () => app.tools.size(app.tools.radius / 1.25),
      "]": () => app.tools.size(app.tools.radius * 1.25),
      "+": () => app.view.zoom(1.25, ...middle),
      "=": () => app.view.zoom(1.25, ...middle),
      "-": () => app.view.zoom(0.8, ...middle),
      0: () => app.view.fit(),
      h: () => app.look({ mask: !app.view.options.mask }),
      v: () => app.mode(MODES[(MODES.indexOf(app.find("mode").value) + 1) % 3]),
      a: () => app.go(-1),
      d: () => app.go(1),
      enter: () => (app.tools.closePolygon() ? undefined : app.accept()),
      escape: () => app.tools.cancel(),
      backspace: () => app.tools.backspace(),
      "?": () => app.find("keys").showModal(),
    };
    for (const [name, { key }] of Object.entries(lrpsegTools.TOOLS)) {
      found[key] = () => app.tools.pick(name);
    }
    return found;
  }

  /** Silent while a field is typed in, while the editor is out of sight, and in a dialog. */
  function pressed(app, event, down) {
    const t = event.target;
    if (t.closest && t.closest(FIELDS)) return;
    if (app.root.offsetParent === null || app.find("keys").open) return;
    if (event.key === " ") {
      if (t.tagName === "BUTTON" || t.type === "checkbox") return; // Space presses these
      app.tools.space = down;
      const draws = app.tools.name === "brush" || app.tools.name === "eraser";
      app.view.canvas.style.cursor = down ? "grab" : draws ? "none" : "crosshair";
      event.preventDefault();
      return;
    }
    if (!down) return;
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      const action = key === "z" ? (event.shiftKey ? "redo" : "undo") : key === "y" ? "redo" : null;
      if (!action) return;
      event.preventDefault();
      app.steps.go(action);
      return;
    }
    if (event.altKey || (key === "enter" && (event.repeat || t.tagName === "BUTTON"))) return;
    const act = bindings(app)[key];
    if (act && act() !== false) event.preventDefault();
  }

  /** Listen to the keyboard for `app`, and fill its table of keys. */
  function wire(app) {
    document.addEventListener("keydown", (e) => pressed(app, e, true));
    document.addEventListener("keyup", (e) => pressed(app, e, false));
    // After a click of the mouse Enter accepts; it does not press that button again.
    app.root.addEventListener("click", (e) => {
      if (e.detail > 0 && e.target.closest("button")) app.focus();
    }, true);
    app.root.addEventListener("change", (e) => { // a select takes keys as names of its entries
      if (e.target.tagName === "SELECT") app.focus();
    });
    app.find("keys").querySelector("table").innerHTML = TABLE.map(
      ([key, what]) => `<tr><th>${key}</th><td>${what}</td></tr>`,
    ).join("");
  }

  return { wire };
})();
if (typeof module !== "undefined") module.exports = lrpsegKeys;
