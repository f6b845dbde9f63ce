// @ts-check
// Undo and redo on the page: strokes, sliders, acceptance, and the choice of network and the like.
import { reasonOf } from "./client.js";

/** @import { Editing } from "./editing.js" */
/** @import { Bus } from "./events.js" */
/** @import { Done } from "./history.js" */
/** @import { Pictures } from "./pictures.js" */
/** @import { Choice, Opened } from "./types.js" */

/**
 * Another network, rule set or thresholder is a step, unless it was undo that brought it.
 * @param {Opened} from  still as it was shown
 * @param {{ choice?: Choice }} to
 * @param {string} reverting  the choice that undo is bringing back, as JSON
 */
export function chose({ item, scene }, to, reverting) {
  const [old, now] = [item, to].map(({ choice }) => choice && JSON.stringify(choice));
  if (!old || !now || old === now || now === reverting) return;
  const before = { choice: item.choice, level: scene.level, analysis: item.analysis };
  scene.step("choice", before, { choice: to.choice });
}

export class Steps {
  /**
   * @param {object} parts
   * @param {Bus} parts.events
   * @param {Pictures} parts.pictures
   * @param {Editing} parts.editing
   * @param {() => boolean} parts.shorten  takes back what is begun and not drawn yet
   * @param {(id: string) => void} parts.selected  tells the page around which picture is shown
   */
  constructor({ events, pictures, editing, shorten, selected }) {
    this.events = events;
    this.pictures = pictures;
    this.editing = editing;
    this.shorten = shorten;
    this.selected = selected;
  }

  /**
   * Take the last step of the open picture back, or do it again.
   * @param {"undo" | "redo"} direction
   */
  go(direction) {
    const { pictures, editing } = this, { open } = pictures;
    // Under a stroke its pixels of before would mix with those that are put back.
    if (!open || open.scene.pending || pictures.reverting) return undefined;
    if (direction === "undo" && this.shorten()) return undefined; // a polygon's last corner
    const done = open.scene[direction]();
    if (!done) return undefined;
    if (done.name === "choice") return this.choose(done.value);
    if (done.name === "status") return void editing.setStatus(done.value);
    if (done.rect) {
      this.events.emit("painted", done.rect);
      editing.figures();
      editing.save(done.rect);
    } else {
      editing.set(/** @type {import("./scene.js").Setting} */ (done.name), done.value);
    }
    if (direction === "undo") this.restore(done);
    return undefined;
  }

  /**
   * The mask is as before a step: so is the status. A slider that is back leaves its value at the
   * server, for whom the picture is edited from then on.
   * @param {Done} done
   */
  restore({ status, rect }) {
    if (status === "accepted" || (rect && (status === "todo" || status === "empty"))) {
      this.editing.setStatus(status);
    }
  }

  /**
   * Bring a former choice back, with the threshold that it had.
   * @param {{ choice: Choice, level?: number, analysis?: string }} value
   */
  async choose({ choice, level, analysis }) {
    const { pictures, editing } = this, id = pictures.open?.id;
    const body = JSON.stringify(choice);
    pictures.reverting = body;
    try {
      await pictures.store.request(`/items/${id}/choice`, { method: "POST", body });
      await pictures.refresh();
      await pictures.again();
      if (id && pictures.open?.id === id) {
        this.selected(id); // the drop-downs follow
        if (level !== undefined && pictures.open.item.analysis === analysis) {
          editing.set("level", level);
        }
      }
    } catch (error) {
      this.events.emit("say", { text: reasonOf(error) });
    }
    pictures.reverting = "";
    editing.figures();
  }
}
