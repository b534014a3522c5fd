/** All fuzz targets, by name. */
import type { FuzzTarget } from "./target.ts";
import { bencode } from "./targets/bencode.ts";
import { extensions } from "./targets/extensions.ts";
import { metainfo } from "./targets/metainfo.ts";
import { mse } from "./targets/mse.ts";
import { pex } from "./targets/pex.ts";
import { tracker } from "./targets/tracker.ts";
import { udp } from "./targets/udp.ts";
import { wire } from "./targets/wire.ts";

export const TARGETS: readonly FuzzTarget[] = [wire, bencode, metainfo, extensions, tracker, udp, mse, pex];
