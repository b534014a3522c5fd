/**
 * The main parts of the pages, without their figures: headings, tables, places to fill in. Decides.
 */
import { type Html, html } from "./html.ts";

interface Column {
  readonly name: string;
  readonly title: string;
  /** It sorts by this name. */
  readonly sort?: string;
  readonly number?: boolean;
}

const HOST_PARTS = html`<ul class="legend" aria-hidden="true"><li class="peers">other hosts</li><li class="seeder">seeders</li><li class="origin">origin</li></ul>`;

/** Totals, chart, table of swarms. */
export function overviewBody(): Html {
  return html`<h1 class="unseen">Overview</h1>
<section class="tiles" aria-label="Totals">
${tile("saved", "Saved at the origin", { wide: true })}
${tile("share", "From other hosts", { wide: true, bar: true })}
${tile("tasks", "Tasks")}${tile("peers", "Peers")}${tile("hosts", "Hosts")}${tile("seeders", "Seeders")}
</section>
<section class="card" aria-labelledby="chart-title">
<div class="card-head"><h2 id="chart-title">Throughput</h2><p class="chart-now" id="chart-now"></p></div>
<div id="chart" class="chart"></div>
<div class="card-foot">${HOST_PARTS}<p class="quiet">What hosts receive, the last five minutes</p></div>
</section>
<section class="card" aria-labelledby="swarms-title">
<div class="card-head"><h2 id="swarms-title">Swarms <span class="count" id="total"></span></h2>
<form role="search" class="search" id="search"><label class="unseen" for="search-text">Search by name, URL, state or hash</label>
<input type="search" id="search-text" name="search" placeholder="Name, URL, state, hash" autocomplete="off" spellcheck="false" maxlength="200"></form>
<button type="button" class="button" id="preheat-open">Preheat…</button></div>
${table("rows", "Swarms that this supernode tracks", [
  { name: "name", title: "Name", sort: "name" },
  { name: "state", title: "State", sort: "state" },
  { name: "length", title: "Length", sort: "length", number: true },
  { name: "progress", title: "At the seeder", sort: "progress" },
  { name: "seeds", title: "Seeds", sort: "seeds", number: true },
  { name: "leeches", title: "Leeches", sort: "leeches", number: true },
  { name: "rate", title: "Rate", sort: "rate", number: true },
])}
${PAGER}
<p class="quiet" id="hidden-tasks" hidden></p>
</section>
${preheatDialog("")}`;
}

/** One task. */
export function taskBody(task: { readonly id: string; readonly name: string; readonly url: string }): Html {
  return html`<div class="title" id="task" data-id="${task.id}">
<p class="crumbs"><a href="/">Swarms</a></p>
<h1 id="name">${task.name}</h1>
<p class="url" id="url">${task.url}</p>
<p class="notice" id="task-error" hidden></p>
<div class="actions"><span id="state"></span>
<a class="button" id="torrent" hidden>.torrent</a><a class="button" id="torrent-v2" hidden>.torrent v2</a><a class="button" id="magnet" hidden>Magnet link</a>
<button type="button" class="button" id="preheat-open">Preheat…</button><button type="button" class="button danger" id="delete-open">Delete…</button></div>
</div>
<section class="tiles" aria-label="Figures">
${tile("length", "Length")}${tile("progress", "At the seeder")}${tile("peers", "Peers")}${tile("rate", "Rate")}
${tile("share", "Where bytes came from", { wide: true, bar: true })}${tile("saved", "Saved at the origin", { wide: true })}
</section>
<section class="card" aria-labelledby="map-title">
<div class="card-head"><h2 id="map-title">Pieces</h2><p class="quiet" id="map-text"></p></div>
<canvas id="map" class="map" role="img" aria-labelledby="map-title map-text"></canvas>
<ul class="legend" aria-hidden="true"><li class="none">not fetched yet</li><li class="few">one copy</li><li class="some">some</li><li class="many">many copies</li></ul>
</section>
<section class="card" id="download-here" data-task="${task.id}" hidden></section>
<section class="card" aria-labelledby="peers-title">
<div class="card-head"><h2 id="peers-title">Peers <span class="count" id="total"></span></h2>${HOST_PARTS}</div>
${table("rows", "Peers of this swarm", [
  { name: "name", title: "Peer", sort: "name" },
  { name: "place", title: "Place", sort: "place" },
  { name: "progress", title: "Has", sort: "progress" },
  { name: "down", title: "Receives", sort: "down", number: true },
  { name: "up", title: "Sends", sort: "up", number: true },
  { name: "from", title: "Received from" },
])}
${PAGER}
</section>
<section class="card" aria-labelledby="about-title"><div class="card-head"><h2 id="about-title">About this task</h2></div><dl class="about" id="about"></dl></section>
${preheatDialog(task.url)}
<dialog id="delete" aria-labelledby="delete-title"><form method="dialog"><h2 id="delete-title">Delete this task?</h2>
<p>Seeders drop <strong>${task.name}</strong>, and its swarm ends. Hosts keep what they have. The next request fetches it from the origin again.</p>
<p class="notice" role="alert" hidden></p>
<div class="actions"><button type="button" class="button" data-close autofocus>Keep it</button><button class="button danger" value="ok">Delete</button></div></form></dialog>`;
}

/** Host daemons. */
export function hostsBody(): Html {
  return html`<h1>Hosts <span class="count" id="total"></span></h1>
<section class="card" aria-label="Hosts"><div class="card-head"><p class="quiet">Host daemons that report to this supernode. Counted since each daemon started.</p>
<form role="search" class="search" id="search"><label class="unseen" for="search-text">Search by name, address or place</label>
<input type="search" id="search-text" name="search" placeholder="Name, address, place" autocomplete="off" spellcheck="false" maxlength="200"></form></div>
${table("rows", "Host daemons", [
  { name: "name", title: "Host", sort: "name" },
  { name: "place", title: "Place", sort: "place" },
  { name: "tasks", title: "Tasks", number: true },
  { name: "down", title: "Receives", sort: "down", number: true },
  { name: "up", title: "Sends", sort: "up", number: true },
  { name: "got", title: "Received", sort: "got", number: true },
  { name: "sent", title: "Sent", sort: "sent", number: true },
  { name: "from", title: "Received from" },
])}
${PAGER}<div class="card-foot">${HOST_PARTS}</div></section>`;
}

/** Seeders. */
export function seedersBody(): Html {
  return html`<h1>Seeders <span class="count" id="total"></span></h1>
<section class="card" aria-label="Seeders"><div class="card-head"><p class="quiet">The only ones that read origins; what each stores, and how much room it has.</p></div>
${table("rows", "Seeders", [
  { name: "name", title: "Seeder" },
  { name: "tasks", title: "Tasks", number: true },
  { name: "disk", title: "Disk" },
  { name: "free", title: "Free on disk", number: true },
  { name: "fetch", title: "Fetches", number: true },
  { name: "up", title: "Sends", number: true },
  { name: "since", title: "Up since" },
])}</section>`;
}

/** Bans, and what led there. */
export function bansBody(): Html {
  return html`<h1>Bans <span class="count" id="total"></span></h1>
<section class="card" aria-label="Bans"><div class="card-head"><p class="quiet">Peers that hosts reported. Enough independent reports ban a peer: it is named to nobody until the ban ends.</p></div>
${table("rows", "Reported peers", [
  { name: "peer", title: "Peer" },
  { name: "state", title: "State" },
  { name: "reason", title: "Latest report" },
  { name: "voices", title: "Reporters", number: true },
])}
${PAGER}</section>`;
}

/** For what is not there. */
export function missingBody(message: string): Html {
  return html`<h1>Not here</h1><p class="notice">${message}</p><p><a class="button" href="/">To the overview</a></p>`;
}

const PAGER = html`<nav class="pager" id="pager" aria-label="Pages of the table" hidden><button type="button" class="button" id="pager-back">Back</button>
<span id="pager-text"></span><button type="button" class="button" id="pager-on">On</button></nav>`;

function tile(id: string, title: string, { wide, bar }: { readonly wide?: boolean; readonly bar?: boolean } = {}): Html {
  return html`<div class="tile${wide ? " wide" : ""}"><h2 class="tile-title">${title}</h2><p class="figure" id="${id}">–</p>
${bar ? html`<div class="parts" id="${id}-bar" role="img"></div>` : undefined}<p class="quiet" id="${id}-note"></p></div>`;
}

/** Roles are spelled out: on narrow screens the rows are cards, which would cost the table its meaning. */
function table(id: string, caption: string, columns: readonly Column[]): Html {
  const heads = columns.map(({ name, title, sort, number }) => {
    const label = sort === undefined ? title : html`<button type="button" data-sort="${sort}">${title}</button>`;
    return html`<th scope="col" role="columnheader" data-column="${name}"${number ? html` class="number"` : undefined}>${label}</th>`;
  });
  return html`<table class="rows" role="table"><caption class="unseen">${caption}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead><tbody id="${id}" role="rowgroup"></tbody></table>
<p class="empty" id="${id}-empty" hidden></p>`;
}

function preheatDialog(url: string): Html {
  return html`<dialog id="preheat" aria-labelledby="preheat-title"><form method="dialog"><h2 id="preheat-title">Preheat</h2>
<p>A seeder fetches this now, before anyone asks for it.</p>
<label for="preheat-url">URL</label><input type="url" id="preheat-url" required maxlength="8192" value="${url}" autocomplete="off" spellcheck="false">
<p class="notice" role="alert" hidden></p>
<div class="actions"><button type="button" class="button" data-close>Cancel</button><button class="button primary" value="ok">Preheat</button></div></form></dialog>`;
}
