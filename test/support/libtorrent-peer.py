"""A libtorrent peer for tests: libtorrent-peer.py TORRENT SAVE_DIR leech|seed [--on-go] [HOST:PORT ...]; prints JSON lines.

With --on-go it dials only after a line came on standard input, and its time begins there."""
import json
import sys
import time

import libtorrent as lt

torrent, save, mode, peers = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
session = lt.session({
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "enable_incoming_utp": False, "enable_outgoing_utp": False,
    "out_enc_policy": int(lt.enc_policy.pe_disabled), "in_enc_policy": int(lt.enc_policy.pe_disabled),
})
params = lt.add_torrent_params()
params.ti = lt.torrent_info(torrent)
params.save_path = save
if mode == "seed":
    params.flags |= lt.torrent_flags.seed_mode
handle = session.add_torrent(params)
on_go = "--on-go" in peers
print(json.dumps({"ready": "libtorrent", "port": session.listen_port(), "v1": str(params.ti.info_hashes().v1), "v2": str(params.ti.info_hashes().v2)}), flush=True)
if on_go:
    sys.stdin.readline()
for peer in peers:
    if peer != "--on-go":
        host, port = peer.rsplit(":", 1)
        handle.connect_peer((host, int(port)))
deadline = time.time() + 120
announced = time.time()
while time.time() < deadline:
    status = handle.status()
    if mode == "leech" and status.is_seeding:
        print(json.dumps({"done": True, "seconds": round(time.time() - deadline + 120, 3)}), flush=True)
        sys.exit(0)
    if mode == "seed" and time.time() - announced > 2:
        announced = time.time()
        handle.force_reannounce(0, -1, lt.reannounce_flags_t.ignore_min_interval)
    time.sleep(0.02)
sys.exit(1 if mode == "leech" else 0)
