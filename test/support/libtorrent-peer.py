"""A libtorrent peer for tests: libtorrent-peer.py TORRENT SAVE_DIR leech|seed [OPTION ...] [HOST:PORT ...]; prints JSON lines.

TORRENT is a file or a magnet link. With --on-go it dials only after a line came on standard input, and its time begins there.
With --chokes it lets nobody ask but for what it allows fast (BEP 6).
--encryption forced|enabled|disabled (default disabled) and --level rc4|plaintext|both are libtorrent's policies."""
import json
import sys
import time

import libtorrent as lt

torrent, save, mode, rest = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]


def option(name, default):
    return rest[rest.index(name) + 1] if name in rest else default


POLICY = {"forced": lt.enc_policy.pe_forced, "enabled": lt.enc_policy.pe_enabled, "disabled": lt.enc_policy.pe_disabled}
LEVEL = {"rc4": lt.enc_level.pe_rc4, "plaintext": lt.enc_level.pe_plaintext, "both": lt.enc_level.pe_both}
policy = int(POLICY[option("--encryption", "disabled")])
level = int(LEVEL[option("--level", "both")])
on_go = "--on-go" in rest
values = {option("--encryption", ""), option("--level", "")}
peers = [word for word in rest if not word.startswith("--") and word not in values]
session = lt.session({
    "listen_interfaces": "127.0.0.1:0",
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
    "enable_incoming_utp": False, "enable_outgoing_utp": False,
    "out_enc_policy": policy, "in_enc_policy": policy, "allowed_enc_level": level,
})
if "--chokes" in rest:
    # its own class of peers of this machine has places without end
    session.set_peer_class_filter(lt.ip_filter())
    session.apply_settings({"choking_algorithm": 0, "unchoke_slots_limit": 0, "allowed_fast_set_size": 10})
if torrent.startswith("magnet:"):
    params = lt.parse_magnet_uri(torrent)
    hashes = params.info_hashes
else:
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    hashes = params.ti.info_hashes()
params.save_path = save
if mode == "seed":
    params.flags |= lt.torrent_flags.seed_mode
handle = session.add_torrent(params)
print(json.dumps({"ready": "libtorrent", "port": session.listen_port(), "v1": str(hashes.v1), "v2": str(hashes.v2)}), flush=True)
if on_go:
    sys.stdin.readline()
for peer in peers:
    host, port = peer.rsplit(":", 1)
    # 13: what libtorrent itself assumes; 128: it speaks v2, without which a v2 torrent is asked for by a v1 hash of zeros
    handle.connect_peer((host, int(port)), 0, 13 | (128 if hashes.has_v2() else 0))
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
