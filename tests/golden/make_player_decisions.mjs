// Record what the ABR code of JavaScript players decides in made-up playbacks.
//
//   npm install --prefix FOLDER dashjs@5.2.1 hls.js@1.7.4 shaka-player@5.2.12
//   node tests/golden/make_player_decisions.mjs FOLDER NAME > tests/golden/NAME_decisions.json
//
// NAME: dashjs, l2a, lol_plus, hls_js or shaka. Figures only; the players' code stays in FOLDER.
// COUNT and FIRST after NAME record that many other sessions; those that are kept were picked
// because they reach every branch.

import fs from 'node:fs';
import path from 'node:path';
import { holdTime, record } from './players/session.mjs';

const PLAYERS = {
  dashjs: { package: 'dashjs', module: 'dashjs', seeds: [89, 99, 112, 126, 130, 206, 241, 256] },
  l2a: { package: 'dashjs', module: 'dashjs', only: 'l2ARule', seeds: [8, 89, 129, 136, 138, 175, 182] },
  lol_plus: { package: 'dashjs', module: 'dashjs', only: 'loLPRule', seeds: [34, 35, 59, 71, 74, 87, 241] },
  hls_js: { package: 'hls.js', module: 'hls', seeds: [39, 86, 95, 98, 180, 187, 201, 261, 276] },
  shaka: { package: 'shaka-player', module: 'shaka', seeds: [71, 74, 75, 98, 221, 230, 244] },
};

const [folder, name, count, from] = process.argv.slice(2);
const player = PLAYERS[name];
const home = path.resolve(folder, 'node_modules', player.package);
const { version } = JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8'));
holdTime();
console.log = console.info = console.warn = console.debug = () => {};
const { load } = await import(`./players/${player.module}.mjs`);
const make = await load(home, player.only ?? null);
const many = Array.from({ length: Number(count ?? 0) }, (_, i) => i + Number(from ?? 1));
const sessions = (count ? many : player.seeds).map((seed) => JSON.stringify(record(make, seed)));
fs.writeSync(1, `{"package": "${player.package}", "version": "${version}",\n"sessions": [\n${sessions.join(',\n')}\n]}\n`);
process.exit(0);
