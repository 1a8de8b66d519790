// Output of jobs, fetched piece by piece and appended while it is being written.

const MOST_LINES = 2000;
const AGAIN_AFTER_MS = 2000;

class Output {
  constructor(details) {
    this.details = details;
    this.text = details.querySelector(".output-text");
    this.cut = details.querySelector("[data-cut]");
    this.none = details.querySelector("[data-none]");
    this.offset = 0;
    this.lines = 0;
    this.hasEnded = false;
    this.isPaused = false;
    this.isFetching = false;
    this.isAskedAgain = false;
    this.setUpPause(details.querySelector("[data-pause]"));
    details.addEventListener("toggle", () => this.refresh());
  }

  setUpPause(button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      this.isPaused = !this.isPaused;
      const { labelPause, labelResume } = button.dataset;
      button.textContent = this.isPaused ? labelResume : labelPause;
      button.setAttribute("aria-pressed", String(this.isPaused));
      this.text.setAttribute("aria-live", this.isPaused ? "off" : "polite");
      this.refresh();
    });
  }

  // Fetch what is new. Calls while one is under way are answered by one more.
  async refresh() {
    if (!this.details.open || this.isPaused || this.hasEnded) return;
    if (this.isFetching) {
      this.isAskedAgain = true;
      return;
    }
    this.isFetching = true;
    try {
      do {
        this.isAskedAgain = false;
        while (await this.fetchPiece());
      } while (this.isAskedAgain);
    } catch {
      setTimeout(() => this.refresh(), AGAIN_AFTER_MS);
    } finally {
      this.isFetching = false;
    }
  }

  // Append the next piece; whether there is more already.
  async fetchPiece() {
    const address = `${this.details.dataset.output}?offset=${this.offset}`;
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok || !answer.headers.has("X-Next-Offset")) return false;
    const next = Number(answer.headers.get("X-Next-Offset"));
    const piece = await answer.text();
    const isNew = next > this.offset;
    this.offset = next;
    this.hasEnded = answer.headers.get("X-Ended") === "1";
    if (piece) this.append(piece);
    this.none.hidden = this.offset > 0;
    return isNew && answer.headers.get("X-More") === "1";
  }

  append(piece) {
    const follows = this.isAtEnd();
    this.text.append(document.createTextNode(piece));
    this.lines += countLines(piece);
    this.trim();
    if (follows) this.text.scrollTop = this.text.scrollHeight;
  }

  isAtEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.text;
    return scrollHeight - scrollTop - clientHeight < 40;
  }

  // Take lines away from the front. Old nodes are changed, new ones left alone: a
  // screen reader reads only what is added.
  trim() {
    while (this.lines > MOST_LINES) {
      this.cut.hidden = false;
      const first = this.text.firstChild;
      const inFirst = countLines(first.data);
      const surplus = this.lines - MOST_LINES;
      if (inFirst <= surplus && first !== this.text.lastChild) {
        first.remove();
        this.lines -= inFirst;
      } else {
        first.data = afterLines(first.data, surplus);
        this.lines = MOST_LINES;
      }
    }
  }
}

function countLines(text) {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

function afterLines(text, count) {
  let at = -1;
  for (let passed = 0; passed < count; passed += 1) at = text.indexOf("\n", at + 1);
  return text.slice(at + 1);
}

const outputs = [...document.querySelectorAll("[data-output]")].map(
  (details) => new Output(details),
);
const refreshAll = () => outputs.forEach((output) => output.refresh());
document.addEventListener("live:hint", (event) => {
  if (event.detail.topic === "run") refreshAll();
});
refreshAll();
