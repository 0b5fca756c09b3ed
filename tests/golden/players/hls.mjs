// hls.js: its AbrController and bandwidth estimator, with an object in place of the player.

import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { clock, sizeOf } from './session.mjs';

export async function load(folder) {
  globalThis.navigator ??= {};
  const { default: Hls } = await import(pathToFileURL(path.join(folder, 'dist/hls.mjs')));
  // The controller's own timer is not run: it is asked when the recording says.
  globalThis.setInterval = () => 1;
  return (title, play) => adapter(title, play, Hls);
}

function adapter(title, play, Hls) {
  const { Events, DefaultConfig } = Hls;
  const seconds = title.segmentMs / 1000;
  const on = {};
  const quiet = { trace() {}, debug() {}, log() {}, info() {}, warn() {}, error() {} };
  const peak = (rung) =>
    Math.max(...title.percent.map((_, n) => (sizeOf(title, rung, n) * 8) / seconds));
  const levels = title.ladder.map((rate, rung) => ({
    bitrate: peak(rung),
    maxBitrate: peak(rung),
    averageBitrate: rate,
    codecSet: 'avc1,mp4a',
    videoCodec: 'avc1',
    audioCodec: 'mp4a',
    codecs: 'avc1,mp4a',
    videoRange: 'SDR',
    frameRate: 25,
    height: 360,
    width: 640,
    audioGroups: null,
    loadError: 0,
    fragmentError: 0,
    details: undefined,
  }));
  let abr = null;
  let loadLevel = -1;
  let switchedTo = -1;
  const hls = {
    config: { ...DefaultConfig },
    logger: quiet,
    on: (event, run, self) => (on[event] = run.bind(self)),
    off() {},
    trigger(event) {
      if (event === Events.FRAG_LOAD_EMERGENCY_ABORTED) switchedTo = loadLevel;
    },
    levels,
    firstLevel: 0,
    minAutoLevel: 0,
    maxAutoLevel: levels.length - 1,
    autoLevelEnabled: true,
    allAudioTracks: [],
    latestLevelDetails: { live: false },
    media: { paused: false, playbackRate: 1, readyState: 0 },
    get mainForwardBufferInfo() {
      return { len: play.buffer / 1000 };
    },
    get loadLevel() {
      return loadLevel;
    },
    get loadLevelObj() {
      return levels[loadLevel];
    },
    set nextLoadLevel(level) {
      loadLevel = level;
      abr.nextAutoLevel = level;
    },
    set nextAutoLevel(level) {
      abr.nextAutoLevel = level;
    },
  };
  abr = new DefaultConfig.abrController(hls);
  on[Events.MANIFEST_LOADING](Events.MANIFEST_LOADING, {});
  // As the level controller does once it knows the first variant.
  const begin = Math.min(levels[0].bitrate, hls.config.abrEwmaDefaultEstimateMax);
  if (begin > hls.config.abrEwmaDefaultEstimate) abr.resetEstimator(begin);
  let frag = null;

  function playlist(level) {
    levels[level].details = { averagetargetduration: seconds, live: false };
  }

  // A lower level without a playlist: it is loaded, at once here, while the download goes on,
  // and the download is judged again then.
  function loadMissing() {
    for (let level = switchedTo; level >= 0 && !levels[level].details; level = switchedTo) {
      playlist(level);
      on[Events.LEVEL_LOADED](Events.LEVEL_LOADED, {
        details: levels[level].details,
        levelInfo: levels[level],
        stats: { loading: { start: clock.now, first: clock.now, end: clock.now } },
      });
    }
  }

  return {
    everyMs: 400,
    fromMs: () => 400,
    choose({ segment }) {
      if (segment === 0) hls.nextLoadLevel = abr.firstAutoLevel;
      const level = abr.nextAutoLevel;
      loadLevel = level;
      playlist(level);
      return { rung: level };
    },
    fetching(request) {
      const stats = {
        aborted: false,
        loaded: 0,
        total: 0,
        loading: { start: clock.now, first: 0, end: 0 },
        parsing: { start: 0, end: 0 },
      };
      frag = {
        type: 'main',
        sn: request.segment,
        level: request.rung,
        duration: seconds,
        stats,
        get bitrate() {
          return stats.total ? (stats.total * 8) / seconds : null;
        },
        abortRequests() {},
      };
      on[Events.FRAG_LOADING](Events.FRAG_LOADING, { frag });
    },
    progress(seen) {
      const { stats } = frag;
      if (seen.now >= seen.first) stats.loading.first = seen.first;
      stats.loaded = seen.received;
      if (seen.received) stats.total = seen.size;
      switchedTo = -1;
      abr._abandonRulesCheck();
      loadMissing();
      if (seen.now - seen.start <= title.segmentMs / 2) return null;
      if (switchedTo < 0) return -1;
      playlist(switchedTo);
      return switchedTo;
    },
    delivered(done) {
      const { stats } = frag;
      stats.loaded = stats.total = done.size;
      stats.loading = { start: done.start, first: done.first, end: done.end };
      stats.parsing = { start: done.end, end: done.end };
      on[Events.FRAG_LOADED](Events.FRAG_LOADED, { frag, part: null });
      on[Events.FRAG_BUFFERED](Events.FRAG_BUFFERED, { frag, part: null });
      hls.media.readyState = 4;
    },
  };
}
