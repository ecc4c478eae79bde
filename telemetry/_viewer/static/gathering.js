// What comes while a view is busy with what has come before, taken at once when it is not.

/** What comes is dealt with in no more than a fifth of the time. */
const RESTS_TIMES = 4;

/** Hands messages on, all that wait at once: the longer that takes, the more rarely. */
export class Gathering {
  constructor(take) {
    this.take = take;
    this.waiting = [];
    this.timer = null;
    this.restsFor = 0;
  }

  add(message) {
    this.waiting.push(message);
    this.timer ??= setTimeout(() => this.handOn(), this.restsFor);
  }

  handOn() {
    const begun = performance.now();
    const messages = this.waiting;
    this.forget();
    if (messages.length) this.take(messages);
    this.restsFor = (performance.now() - begun) * RESTS_TIMES;
  }

  /** What waits is no longer wanted. */
  forget() {
    clearTimeout(this.timer);
    this.timer = null;
    this.waiting = [];
  }
}
