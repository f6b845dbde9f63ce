// @ts-check
// The time that a person spends on a picture: pauses and other tabs do not count.
const IDLE = 60000;

export class Clock {
  /** @param {() => number} now  gives milliseconds */
  constructor(now = () => performance.now()) {
    this.now = now;
    this.seconds = 0;
    /** @type {number | null} */
    this.last = null;
  }

  /** Something was done: the time since the last thing counts, unless that is long ago. */
  touch() {
    const now = this.now();
    if (this.last !== null && now - this.last < IDLE) this.seconds += (now - this.last) / 1000;
    this.last = now;
  }

  /** What follows does not count until something is done again. */
  pause() {
    this.last = null;
  }

  /** The seconds since they were taken last. */
  take() {
    const { seconds } = this;
    this.seconds = 0;
    return seconds;
  }
}
