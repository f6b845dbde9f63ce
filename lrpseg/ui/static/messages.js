// What the page tells about itself: sentences over the picture, and whether all is saved.
const lrpsegMessages = (() => {
  class Messages {
    constructor(root) {
      this.box = root.querySelector(".message");
      this.box.querySelector("button").addEventListener("click", () => this.say(""));
      this.state = root.querySelector('[data-testid="saved"]');
    }

    /** Show a sentence until the next action; `good` news looks different from a problem. */
    say(text, good = false) {
      this.box.querySelector("span").textContent = text;
      this.box.classList.toggle("good", good);
      this.box.hidden = !text;
    }

    /** Say how saving goes; `waiting`: pictures with changes that the server has not confirmed. */
    saved(state, waiting, message) {
      const words = {
        saved: "✓ saved", saving: "saving …", refused: "Not saved",
        offline: message || `Not connected: changes to ${waiting} picture${waiting === 1 ? "" : "s"} wait, nothing is lost.`,
      };
      this.state.textContent = words[state];
      this.state.dataset.state = state;
    }
  }

  return { Messages };
})();
if (typeof module !== "undefined") module.exports = lrpsegMessages;
