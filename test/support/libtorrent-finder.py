"""A libtorrent peer that finds others by itself: libtorrent-finder.py '{"torrent": FILE, "save": DIR, "seed": true, "lsd": true, "dht": "HOST:PORT", "listen": "127.0.0.1:0"}'.

"magnet" may stand for "torrent"; "dht" is the node to begin with, "" none. Prints JSON lines: ready, then done."""
import json
import sys
import time

import libtorrent as lt

options = json.loads(sys.argv[1])
settings = {
    "listen_interfaces": options["listen"],
    "enable_dht": "dht" in options, "enable_lsd": options.get("lsd", False), "enable_upnp": False, "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "enable_incoming_utp": False, "enable_outgoing_utp": False,
    "dht_bootstrap_nodes": options.get("dht", ""),
    "dht_restrict_routing_ips": False, "dht_restrict_search_ips": False, "dht_enforce_node_id": False,
    "urlseed_wait_retry": 1, "min_reconnect_time": 1,
}
session = lt.session(settings)
if options.get("magnet"):
    params = lt.parse_magnet_uri(options["magnet"])
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(options["torrent"])
params.save_path = options["save"]
if options.get("seed"):
    params.flags |= lt.torrent_flags.seed_mode
handle = session.add_torrent(params)
while session.listen_port() == 0:
    time.sleep(0.02)
print(json.dumps({"ready": "libtorrent", "port": session.listen_port()}), flush=True)
deadline = time.time() + 120
again = 0
while time.time() < deadline:
    status = handle.status()
    if not options.get("seed") and status.is_seeding:
        print(json.dumps({"done": True, "web": status.total_payload_download}), flush=True)
        sys.exit(0)
    if time.time() > again:
        again = time.time() + 3
        if "dht" in options:
            handle.force_dht_announce()
        if options.get("lsd"):
            handle.force_lsd_announce() if hasattr(handle, "force_lsd_announce") else None
    time.sleep(0.02)
sys.exit(1)
