// dash.js: its AbrController, rules and ThroughputController, from the sources in the package's map.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const MAP = 'dist/modern/esm/dash.all.debug.js.map';

/** The package's sources in a folder of their own; what they import from elsewhere is left empty. */
function unpack(folder) {
  const map = JSON.parse(fs.readFileSync(path.join(folder, MAP), 'utf8'));
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'dashjs-'));
  const foreign = {};
  map.sources.forEach((source, i) => {
    const at = source.lastIndexOf('/src/');
    const text = map.sourcesContent[i];
    if (at < 0 || source.includes('node_modules') || !text) return;
    const file = path.join(root, source.slice(at + 1));
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    for (const [, what, from] of text.matchAll(/import\s+([^;'"]*?)\s+from\s+['"]([^.'"][^'"]*)['"]/g)) {
      foreign[from] ??= new Set();
      const names = /\{([^}]*)\}/.exec(what)?.[1] ?? '';
      for (const name of names.split(',')) {
        if (name.trim()) foreign[from].add(name.trim().split(/\s+as\s+/)[0]);
      }
    }
  });
  fs.writeFileSync(path.join(root, 'package.json'), '{"type": "module"}');
  for (const [from, names] of Object.entries(foreign)) {
    const home = path.join(root, 'node_modules', from);
    fs.mkdirSync(home, { recursive: true });
    fs.writeFileSync(path.join(home, 'package.json'), '{"type": "module", "main": "i.js", "exports": "./i.js"}');
    const lines = [...names].map((name) => `export const ${name} = {};`);
    fs.writeFileSync(path.join(home, 'i.js'), [...lines, 'export default {};', ''].join('\n'));
  }
  return root;
}

/** Makes adapters; `only` names the one quality rule that is active, as for l2ARule and loLPRule. */
export async function load(folder, only = null) {
  const root = unpack(folder);
  const get = async (name) => (await import(pathToFileURL(path.join(root, 'src', name + '.js')))).default;
  const [Abr, Throughput, Settings, Bus, Events, Media, Names] = [
    await get('streaming/controllers/AbrController'),
    await get('streaming/controllers/ThroughputController'),
    await get('core/Settings'),
    await get('core/EventBus'),
    await get('core/events/Events'),
    await get('streaming/MediaPlayerEvents'),
    await get('streaming/constants/MetricsConstants'),
  ];
  Events.extend(Media);
  fs.rmSync(root, { recursive: true });
  return (title, play) => adapter(title, play, { Abr, Throughput, Settings, Bus, Events, Names, only });
}

function adapter(title, play, { Abr, Throughput, Settings, Bus, Events, Names, only }) {
  const context = {};
  const settings = Settings(context).getInstance();
  settings.update({ debug: { logLevel: 0 } });
  if (only) {
    const off = Object.keys(settings.get().streaming.abr.rules).map((k) => [k, { active: k === only }]);
    settings.update({ streaming: { abr: { rules: Object.fromEntries(off) } } });
  }
  const bus = Bus(context).getInstance();
  const streamInfo = { id: 's', index: 0, manifestInfo: { isDynamic: false, duration: 300 } };
  const mediaInfo = { id: 'm', index: 0, type: 'video', streamInfo };
  const reps = title.ladder.map((bandwidth, i) => ({
    id: `r${i}`,
    absoluteIndex: i,
    bandwidth,
    bitrateInKbit: bandwidth / 1000,
    mediaInfo,
    fragmentDuration: title.segmentMs / 1000,
    segmentDuration: title.segmentMs / 1000,
  }));
  const here = { current: null, level: 0, state: { state: Names.BUFFER_EMPTY }, delay: 0, request: null, http: null };
  const playback = {
    getLowLatencyModeEnabled: () => false,
    getIsDynamic: () => false,
    getCurrentLiveLatency: () => NaN,
    getPlaybackRate: () => 1,
  };
  const schedule = {
    setTimeToLoadDelay: (ms) => (here.delay = ms),
    getPlaybackController: () => playback,
  };
  const processor = {
    getStreamInfo: () => streamInfo,
    getRepresentation: () => here.current,
    getScheduleController: () => schedule,
    getLastSegment: () => null,
    getRepresentationController: () => ({ getCurrentCompositeRepresentation: () => here.current }),
    getFragmentModel: () => ({ getRequests: () => [here.request] }),
  };
  const throughputController = Throughput(context).getInstance();
  throughputController.setConfig({ settings, playbackController: playback });
  throughputController.initialize();
  const abr = Abr(context).getInstance();
  abr.setConfig({
    settings,
    throughputController,
    dashMetrics: {
      getCurrentBufferLevel: () => here.level / 1000,
      getCurrentBufferState: () => here.state,
      getCurrentHttpRequest: () => here.http,
    },
    mediaPlayerModel: {
      getBufferTimeDefault: () => settings.get().streaming.buffer.bufferTimeDefault,
      getAbrBitrateParameter: () => -1,
    },
    customParametersModel: { getAbrCustomRules: () => [] },
    adapter: { getVoRepresentations: () => reps.slice(), areMediaInfosEqual: () => true },
    videoModel: { getPlaybackQuality: () => null, getPlaybackRate: () => 1 },
    domStorage: { setSavedBitrateSettings: () => {}, getSavedBitrateSettings: () => NaN },
    capabilities: { areKeyIdsUsable: () => true },
    streamController: { getActiveStreamInfo: () => streamInfo },
  });
  abr.initialize();
  abr.registerStreamType('video', processor);
  here.current = abr.getOptimalRepresentationForBitrate(mediaInfo, abr.getInitialBitrateFor('video'));
  const where = { streamId: 's', mediaType: 'video' };
  let abandonedTo = -1;
  bus.on(
    Events.QUALITY_CHANGE_REQUESTED,
    (e) => {
      here.current = e.newRepresentation;
      if (e.reason?.forceAbandon) abandonedTo = e.newRepresentation.absoluteIndex;
    },
    {},
  );

  function level(ms) {
    here.level = ms;
    const stateNow = ms <= 300 ? Names.BUFFER_EMPTY : Names.BUFFER_LOADED;
    if (stateNow !== here.state.state) {
      here.state = { state: stateNow };
      bus.trigger(stateNow === Names.BUFFER_EMPTY ? Events.BUFFER_EMPTY : Events.BUFFER_LOADED, {}, where);
    }
    bus.trigger(Events.METRIC_ADDED, { metric: Names.BUFFER_LEVEL, mediaType: 'video', value: { level: ms } });
  }

  return {
    everyMs: 1000,
    fromMs: () => 500,
    choose({ buffer }) {
      level(buffer);
      here.delay = 0;
      abr.checkPlaybackQuality('video', 's');
      return { rung: here.current.absoluteIndex, wait: here.delay };
    },
    fetching(request) {
      here.request = request;
    },
    progress:
      only === null
        ? (seen) => {
            if (seen.now - seen.first <= 500) return null;
            level(seen.buffer);
            // The first report comes with the first byte, five more share what has arrived.
            const share = (all, i) => Math.floor((all * (i + 1)) / 5) - Math.floor((all * i) / 5);
            const traces = [{ d: seen.first - seen.start, b: [0] }];
            for (let i = 0; i < 5; i++) {
              traces.push({ d: share(seen.now - seen.first, i), b: [share(seen.received, i)] });
            }
            const request = {
              mediaType: 'video',
              index: seen.segment,
              firstByteDate: new Date(Date.now() - (seen.now - seen.first)),
              traces,
              bytesLoaded: seen.received,
              bytesTotal: seen.size,
              duration: title.segmentMs / 1000,
              representation: reps[seen.rung],
            };
            abandonedTo = -1;
            bus.trigger(Events.LOADING_PROGRESS, { request, streamId: 's' });
            if (abandonedTo < 0) return -1;
            bus.trigger(Events.FRAGMENT_LOADING_ABANDONED, { request }, where);
            return abandonedTo;
          }
        : undefined,
    delivered(done) {
      level(done.low);
      const at = (ms) => new Date(Date.now() - (done.end - ms));
      here.http = {
        type: 'MediaSegment',
        url: `segment-${done.segment}`,
        trace: [{ d: 1, b: [1] }, { d: 1, b: [1] }],
        trequest: at(done.start),
        tresponse: at(done.first),
        _tfinish: at(done.end),
        _streamId: 's',
        _resourceTimingValues: {
          transferSize: done.size,
          decodedBodySize: done.size,
          responseStart: done.first,
          responseEnd: done.end,
        },
      };
      bus.trigger(Events.METRIC_ADDED, { metric: Names.HTTP_REQUEST, mediaType: 'video', value: here.http });
      const chunk = {
        representation: reps[done.rung],
        start: (done.segment * title.segmentMs) / 1000,
        duration: title.segmentMs / 1000,
      };
      bus.trigger(Events.MEDIA_FRAGMENT_LOADED, { chunk }, where);
      level(done.buffer);
      bus.trigger(Events.BYTES_APPENDED_END_FRAGMENT, { startTime: chunk.start }, where);
    },
  };
}
