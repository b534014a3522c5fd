/**
 * The part "download here" of a task's page: this browser joins the swarm, and offers the verified file to save. Drives the section.
 *
 * Its words change with its state only, so that a screen reader is not flooded; figures are beside them.
 */
import { BrowserSwarm } from "./browser-swarm.ts";
import { byId, make, setNotice, setText } from "./dom.ts";
import { formatBytes, formatRate, formatShare, plural } from "./format.ts";
import { planKeeping } from "./keep-plan.ts";
import { describeBrowser, folderOf, isKept, removeKept } from "./own-store.ts";
import { saveFile } from "./save-file.ts";
import type { TaskFields } from "./shapes.ts";

const FIGURES_MS = 500;
const ASK_LIMIT_MS = 30_000;
/** Without a peer for that long, its user is told. */
const LONELY_MS = 20_000;

type State = "idle" | "joining" | "loading" | "done" | "saving";

const WORDS: Readonly<Record<State, string>> = {
  idle: "",
  joining: "Joining the swarm …",
  loading: "Downloading. You share what you have while this page is open.",
  done: "Complete, and every piece is verified.",
  saving: "Saving the file …",
};

export class DownloadHere {
  readonly #id: string;
  readonly #section = byId("download-here");
  readonly #words = make("p", { role: "status", class: "quiet" });
  readonly #notice = make("p", { class: "notice", role: "alert", hidden: true });
  readonly #bar = make("progress", { max: 1, value: 0, "aria-label": "Downloaded to this browser", hidden: true });
  readonly #figures = make("p", { class: "quiet", id: "download-here-figures" });
  readonly #start = make("button", { type: "button", class: "button primary", id: "download-here-start" }, "Download here");
  readonly #save = make("button", { type: "button", class: "button primary", id: "download-here-save", hidden: true }, "Save the file");
  readonly #remove = make("button", { type: "button", class: "button", id: "download-here-remove", hidden: true }, "Stop and remove");
  #fields: TaskFields | undefined;
  #state: State = "idle";
  #swarm: BrowserSwarm | undefined;
  #timer: number | undefined;
  #lonelySinceMs = 0;

  constructor(id: string) {
    this.#id = id;
    this.#start.addEventListener("click", () => void this.#join());
    this.#save.addEventListener("click", () => void this.#saveFile());
    this.#remove.addEventListener("click", () => void this.#drop());
  }

  /** News of the task: the section is there once it is final, where this supernode serves browsers. */
  update(fields: TaskFields): void {
    if (this.#fields !== undefined || fields.state !== "final" || fields.private || fields.infoHashV1 === null) return;
    this.#fields = fields;
    void this.#offer(fields).catch(() => {
      this.#fields = undefined;
    });
  }

  async #offer(fields: TaskFields): Promise<void> {
    const answer = await fetch(`/api/v1/tasks/${this.#id}/browsers?call=false`, { signal: AbortSignal.timeout(ASK_LIMIT_MS) });
    if (!answer.ok || ((await answer.json()) as { bundle?: boolean }).bundle !== true) return;
    const plan = planKeeping(fields.lengthBytes, await describeBrowser());
    const title = make("h2", { id: "download-here-title" }, "Download here");
    const about = make("p", { class: "quiet" }, `From the swarm into this browser, over WebRTC. ${plan.note}`);
    const actions = make("div", { class: "actions" }, this.#start, this.#save, this.#remove);
    const refused = plan.kind === "refused";
    this.#start.hidden = refused;
    this.#section.setAttribute("aria-labelledby", "download-here-title");
    this.#section.replaceChildren(
      make("div", { class: "card-head" }, title),
      about,
      this.#words,
      this.#bar,
      this.#figures,
      this.#notice,
      actions,
    );
    this.#section.hidden = false;
    if (plan.kind === "store" && (await isKept(this.#folder))) {
      setText(this.#start, "Go on here");
      setText(this.#remove, "Remove what is kept");
      this.#remove.hidden = false;
    }
  }

  get #folder(): string {
    return folderOf({ name: this.#fields?.name ?? "", infoHash: this.#fields?.infoHashV1 ?? "" });
  }

  async #join(): Promise<void> {
    setNotice(this.#notice, "");
    this.#show("joining");
    try {
      this.#swarm = await BrowserSwarm.join(this.#id, {
        onDone: () => {
          setNotice(this.#notice, "");
          this.#show("done");
        },
        onFailed: (message) => void this.#fail(message),
      });
    } catch (error) {
      return this.#fail(error instanceof Error ? error.message : String(error));
    }
    this.#lonelySinceMs = performance.now();
    this.#timer = window.setInterval(() => this.#tick(), FIGURES_MS);
    if ((this.#state as State) === "joining") this.#show("loading");
  }

  #tick(): void {
    if (this.#swarm === undefined) return;
    const { share, bytes, bytesPerSecond, sentBytes, peers } = this.#swarm.figures;
    this.#bar.value = share;
    const parts = [`${formatBytes(bytes)} (${formatShare(share)})`, `from ${plural(peers, "peer")}`, formatRate(bytesPerSecond)];
    setText(this.#figures, [...parts, `sent ${formatBytes(sentBytes)}`].join(" · "));
    if (peers > 0) this.#lonelySinceMs = performance.now();
    if (this.#state !== "loading") return;
    const lonely = performance.now() - this.#lonelySinceMs > LONELY_MS;
    setNotice(
      this.#notice,
      lonely
        ? "No peer can be reached from this browser. A seeder of this supernode must run with --webrtc, and UDP must get through to it."
        : "",
    );
  }

  async #saveFile(): Promise<void> {
    const { name, lengthBytes } = this.#fields ?? { name: "download", lengthBytes: 0 };
    const swarm = this.#swarm;
    if (swarm === undefined) return;
    this.#show("saving");
    try {
      await saveFile(name, lengthBytes, () => swarm.stream());
    } catch (error) {
      setNotice(this.#notice, `The file cannot be saved: ${error instanceof Error ? error.message : String(error)}`);
    }
    this.#show("done");
  }

  async #fail(message: string): Promise<void> {
    await this.#leave();
    setNotice(this.#notice, `The download ended: ${message}`);
  }

  async #drop(): Promise<void> {
    setText(this.#start, "Download here");
    await this.#leave();
    await removeKept(this.#folder).catch(() => undefined);
  }

  async #leave(): Promise<void> {
    window.clearInterval(this.#timer);
    const swarm = this.#swarm;
    this.#swarm = undefined;
    this.#show("idle");
    await swarm?.leave();
  }

  #show(state: State): void {
    this.#state = state;
    setText(this.#words, WORDS[state]);
    this.#bar.hidden = state === "idle";
    this.#bar.className = state === "done" || state === "saving" ? "done" : "";
    if (state === "idle") setText(this.#figures, "");
    if (state === "done") this.#tick();
    this.#start.hidden = state !== "idle";
    this.#save.hidden = state !== "done" && state !== "saving";
    this.#save.disabled = state === "saving";
    setText(this.#remove, "Stop and remove");
    this.#remove.hidden = state === "idle" || state === "joining";
  }
}
