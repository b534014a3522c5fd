/**
 * What the pages let people do: preheat a URL, delete a task. Each asks in a dialog first, and says there what went wrong.
 */
import { byId, setNotice } from "./dom.ts";

interface Problem {
  readonly error?: { readonly message?: string; readonly hint?: string };
}

/** Wires the button and dialog of preheating. */
export function offerPreheat(onDone: (url: string) => void): void {
  const input = byId<HTMLInputElement>("preheat-url");
  offer("preheat", async () => {
    const url = input.value.trim();
    await callApi("/api/v1/preheats", "POST", { type: "file", url });
    onDone(url);
  });
}

/** Wires the button and dialog of deleting a task. */
export function offerDelete(id: string): void {
  offer("delete", async () => {
    await callApi(`/api/v1/tasks/${id}`, "DELETE");
    location.assign("/");
  });
}

/** The button `NAME-open` opens the dialog `NAME`; its OK does the work, and closes it when that went well. */
function offer(name: string, work: () => Promise<void>): void {
  const dialog = byId<HTMLDialogElement>(name);
  const notice = dialog.querySelector<HTMLElement>(".notice");
  byId(`${name}-open`).addEventListener("click", () => {
    if (notice !== null) setNotice(notice, "");
    dialog.showModal();
  });
  dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  const button = dialog.querySelector<HTMLButtonElement>("button[value=ok]");
  dialog.querySelector("form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    if (button === null || button.disabled) return;
    button.disabled = true;
    work()
      .then(() => dialog.close())
      .catch((error: unknown) => {
        if (notice !== null) setNotice(notice, error instanceof Error ? error.message : String(error));
      })
      .finally(() => {
        button.disabled = false;
      });
  });
}

/** Rejects with the API's own words. */
async function callApi(url: string, method: string, body?: object): Promise<void> {
  const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(30_000) });
  if (answer.ok) return;
  const { error } = (await answer.json().catch(() => ({}))) as Problem;
  throw new Error([error?.message ?? `the supernode answered ${answer.status}`, error?.hint].filter(Boolean).join(". "));
}
