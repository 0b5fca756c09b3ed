// Shaka Player: its SimpleAbrManager and bandwidth estimator, from the package's uncompiled files.

import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { sizeOf } from './session.mjs';

export async function load(folder) {
  globalThis.navigator ??= {};
  const nothing = () => {};
  const listener = class {
    listen() {}
    listenOnce() {}
    unlisten() {}
    release() {}
  };
  const timer = class {
    tickAfter() {}
    tickEvery() {
      return this;
    }
    tickNow() {}
    stop() {}
  };
  globalThis.goog = { provide: nothing, require: nothing, requireType: nothing, asserts: { assert: nothing } };
  globalThis.shaka = {
    abr: {},
    log: { v1: nothing, v2: nothing, debug: nothing, warning: nothing },
    util: {
      ArrayUtils: { hasSameElements: () => false },
      EventManager: listener,
      StreamUtils: { isFastSwitching: () => false, meetsRestrictions: () => true },
      Timer: timer,
    },
  };
  for (const name of ['ewma', 'ewma_bandwidth_estimator', 'simple_abr_manager']) {
    vm.runInThisContext(fs.readFileSync(path.join(folder, 'lib/abr', name + '.js'), 'utf8'));
  }
  // The defaults are a literal in the middle of a function that needs all of the player.
  const text = fs.readFileSync(path.join(folder, 'lib/util/player_configuration.js'), 'utf8');
  const one = (pattern) => pattern.exec(text)[1];
  const given = {
    bandwidthEstimate: Number(one(/const bandwidthEstimate = (\S+);/)),
    minBytes: Number(one(/const minBytes = (\S+);/)),
    abrMaxHeight: Infinity,
  };
  const literal = one(/\n {4}const abr = (\{[\s\S]*?\n {4}\});/);
  const config = new Function(...Object.keys(given), `return ${literal}`)(...Object.values(given));
  return (title) => adapter(title, config);
}

function adapter(title, config) {
  const manager = new shaka.abr.SimpleAbrManager();
  const seconds = title.segmentMs / 1000;
  const peak = (rung) =>
    Math.max(...title.percent.map((_, n) => (sizeOf(title, rung, n) * 8) / seconds));
  const variants = title.ladder.map((_, rung) => ({ rung, bandwidth: peak(rung), video: {} }));
  let rung = 0;
  manager.configure(config);
  manager.init((variant) => (rung = variant.rung), () => {});
  return {
    choose({ segment }) {
      if (segment === 0) {
        manager.setVariants(variants.slice(), false);
        rung = manager.chooseVariant().rung;
        manager.enable();
      }
      return { rung };
    },
    delivered(done) {
      manager.segmentDownloaded(done.end - done.start, done.size, true);
    },
  };
}
