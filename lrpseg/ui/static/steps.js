// Undo and redo on the page: strokes, sliders, acceptance, and the choice of network or thresholder.
const lrpsegSteps = (() => {
  const { History, Shelf } = typeof module !== "undefined" ? require("./history.js") : lrpsegHistory;

  class Steps {
    constructor(app) {
      this.app = app;
      this.left = new Shelf();
      this.reverting = ""; // the choice that is being brought back, as JSON
    }

    /** Take the last step of the open picture back ("undo"), or do it again ("redo"). */
    go(direction) {
      const { app } = this, s = app.open;
      // Under a stroke its pixels of before would mix with those that are put back.
      if (!s || app.tools.stroke || this.reverting) return undefined;
      if (direction === "undo" && app.tools.backspace()) return undefined; // a polygon's last corner
      const done = s.history[direction](s.corrections, s.width, s.item.analysis);
      if (!done) return undefined;
      if (done.name === "choice") return this.choose(done.value);
      if (done.name === "status") return this.setStatus(done.value);
      if (done.name) app.assign(done.name, done.value);
      else {
        app.painted(done.rect);
        app.figures();
        app.save(done.rect);
      }
      if (direction === "undo") this.restore(done);
      return undefined;
    }

    /**
     * The mask is as before a step: so is the status. A slider that is back leaves its value at the
     * server, for whom the picture is edited from then on.
     */
    restore({ status, rect }) {
      if (status === "accepted" || (rect && (status === "todo" || status === "empty"))) {
        this.setStatus(status);
      }
    }

    /** Another network, rule set or thresholder is a step, unless it was undo that brought it. */
    chose({ history, item: from, level }, to) {
      const [old, now] = [from, to].map((item) => item.choice && JSON.stringify(item.choice));
      if (!old || !now || old === now || now === this.reverting) return;
      const before = { choice: from.choice, level, analysis: from.analysis };
      history.changed("choice", before, { choice: to.choice }, ++this.app.gesture);
    }

    /** Bring a former choice back, with the threshold that it had. */
    async choose({ choice, level, analysis }) {
      const { app } = this, { id } = app.open;
      this.reverting = JSON.stringify(choice);
      try {
        await app.store.request(`/items/${id}/choice`, { method: "POST", body: this.reverting });
        await app.refresh();
        await app.again();
        const s = app.open;
        if (s && s.id === id) {
          app.trigger("select", { id }); // the drop-downs follow
          if (s.item.analysis === analysis) app.assign("level", level);
        }
      } catch (error) {
        app.say(error.message);
      }
      this.reverting = "";
      app.figures();
    }

    accept() {
      const s = this.app.open, { status } = s.item;
      if (status !== "accepted") s.history.changed("status", status, "accepted", ++this.app.gesture);
      this.setStatus("accepted");
    }

    setStatus(status) {
      const { app } = this, { id, item } = app.open;
      const asked = status === "accepted" ? status : "todo"; // the server knows which kind of to do
      // What is seen: the server refuses to accept another mask.
      const shown = { analysis: item.analysis, revision: app.store.revisions.get(id) };
      app.store.saveSettings(id, { status: asked, shown, seconds: app.clock.take() });
      app.mark(status);
      app.figures();
    }

    /** Another picture is opened: this one's steps wait for a return. */
    leave(scene) {
      if (scene) this.left.keep(scene.id, scene.history, scene.corrections);
    }

    resume(id, corrections) {
      return this.left.take(id, corrections) || new History();
    }
  }

  return { Steps };
})();
if (typeof module !== "undefined") module.exports = lrpsegSteps;
