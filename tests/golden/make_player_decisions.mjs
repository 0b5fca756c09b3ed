// Record what the ABR code of JavaScript players decides in made-up playbacks.
//
//   npm install --prefix FOLDER dashjs@5.2.1 hls.js@1.7.4 shaka-player@5.2.12
//   node tests/golden/make_player_decisions.mjs FOLDER NAME > tests/golden/NAME_decisions.json
//
// NAME: dashjs, l2a, lol_plus, hls_js or shaka. Figures only; the players' code stays in FOLDER.

import fs from 'node:fs';
import path from 'node:path';
import { holdTime, record } from './players/session.mjs';

const PLAYERS = {
  dashjs: { package: 'dashjs', module: 'dashjs', seeds: 10 },
  l2a: { package: 'dashjs', module: 'dashjs', only: 'l2ARule', seeds: 9 },
  lol_plus: { package: 'dashjs', module: 'dashjs', only: 'loLPRule', seeds: 9 },
  hls_js: { package: 'hls.js', module: 'hls', seeds: 9 },
  shaka: { package: 'shaka-player', module: 'shaka', seeds: 9 },
};

const [folder, name] = process.argv.slice(2);
const player = PLAYERS[name];
const home = path.resolve(folder, 'node_modules', player.package);
const { version } = JSON.parse(fs.readFileSync(path.join(home, 'package.json'), 'utf8'));
holdTime();
console.log = console.info = console.warn = console.debug = () => {};
const { load } = await import(`./players/${player.module}.mjs`);
const make = await load(home, player.only ?? null);
const seeds = Number(process.argv[4] ?? player.seeds);
const first = Number(process.argv[5] ?? 1);
const sessions = [];
for (let seed = first; seed < first + seeds; seed++) sessions.push(JSON.stringify(record(make, seed)));
fs.writeSync(1, `{"package": "${player.package}", "version": "${version}",\n"sessions": [\n${sessions.join(',\n')}\n]}\n`);
process.exit(0);
