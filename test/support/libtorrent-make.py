"""Makes a .torrent with libtorrent for tests: libtorrent-make.py SOURCE TORRENT v1|v2|hybrid PIECE_LENGTH [TRACKER ...]."""
import os
import sys

import libtorrent as lt

source, torrent, version, piece_length, trackers = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]
storage = lt.file_storage()
lt.add_files(storage, source)
if version == "hybrid":
    creator = lt.create_torrent(storage, piece_length)
else:
    creator = lt.create_torrent(storage, piece_length, lt.create_torrent.v1_only if version == "v1" else lt.create_torrent.v2_only)
for tracker in trackers:
    creator.add_tracker(tracker)
lt.set_piece_hashes(creator, os.path.dirname(os.path.abspath(source)))
with open(torrent, "wb") as file:
    file.write(lt.bencode(creator.generate()))
