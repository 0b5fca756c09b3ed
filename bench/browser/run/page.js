// One playback of one player, written down: what the element and the player said, and when.
//
// begin(plan) is the moment play is asked; all times are seconds from then. The record goes to
// tell(text) once, when the media has ended, the time is over, or the player gave up; shown() says
// that the first picture is there, or is long in coming.

const video = document.getElementById("video");
const events = [];
const samples = [];
const SAMPLE_MS = 250;
const GAP_S = 0.12;
let started = 0;
let told = false;

const now = () => (performance.now() - started) / 1000;
const note = (kind, data = {}) => events.push({ t: now(), kind, ...data });
const since = (ms) => (ms > 0 ? (ms - started) / 1000 : null);
const pathOf = (url) => String(url).split("?")[0].split("/").slice(-2).join("/");

function bufferedEnd() {
  for (let i = 0; i < video.buffered.length; i++) {
    if (video.buffered.start(i) <= video.currentTime + 0.1 && video.buffered.end(i) >= video.currentTime) {
      return video.buffered.end(i);
    }
  }
  return video.currentTime;
}

function watchElement() {
  const kinds = [
    "loadedmetadata", "loadeddata", "canplay", "play", "playing", "waiting", "seeking", "seeked", "pause",
    "ended", "error",
  ];
  for (const kind of kinds) {
    video.addEventListener(kind, () => note(kind, { at: video.currentTime, end: bufferedEnd() }));
  }
  let last = null;
  const frame = (_, seen) => {
    const at = now();
    if (last === null) {
      note("first frame", { at: seen.mediaTime });
      setTimeout(shown, 300);
    }
    if (last !== null && at - last > GAP_S) note("frame gap", { from: last, at: seen.mediaTime });
    last = at;
    video.requestVideoFrameCallback(frame);
  };
  video.requestVideoFrameCallback(frame);
  setInterval(() => samples.push([now(), video.currentTime, bufferedEnd()]), SAMPLE_MS);
}

function watchRequests(requests) {
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) {
      requests.push({
        path: pathOf(each.name),
        start: since(each.startTime),
        sent: since(each.requestStart),
        first: since(each.responseStart),
        end: since(each.responseEnd),
        size: each.encodedBodySize,
        status: each.responseStatus,
      });
    }
  }).observe({ type: "resource", buffered: false });
}

// --- players ----------------------------------------------------------------------------

function load(path) {
  return new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = path;
    script.onload = done;
    script.onerror = () => failed(new Error(`${path} cannot be loaded`));
    document.head.append(script);
  });
}

const players = {
  "hls.js": {
    scripts: ["players/hls.js"],
    version: () => Hls.version,
    begin(plan) {
      const config = { ...plan.config };
      if (plan.rung >= 0) config.startLevel = plan.rung;
      if (plan.licence) {
        config.emeEnabled = true;
        config.drmSystems = { "org.w3.clearkey": { licenseUrl: new URL(plan.licence, plan.url).href } };
      }
      const hls = new Hls(config);
      const on = (kind, run) => hls.on(Hls.Events[kind], (_, data) => run(data));
      const about = ({ frag, part }) => {
        const stats = (part ?? frag).stats;
        return {
          track: frag.type, sn: frag.sn, level: frag.level, loaded: stats.loaded,
          start: since(stats.loading.start), first: since(stats.loading.first), end: since(stats.loading.end),
          parsed: since(stats.parsing.end), buffered: since(stats.buffering.end),
        };
      };
      const view = () => ({
        bwe: hls.bandwidthEstimate, ttfb: hls.ttfbEstimate, buffer: hls.mainForwardBufferInfo?.len ?? 0,
        next: hls.nextAutoLevel, loadLevel: hls.loadLevel,
      });
      on("MANIFEST_PARSED", (data) => {
        note("ladder", { rates: data.levels.map((each) => each.bitrate), first: data.firstLevel });
        if (plan.rung >= 0) hls.loadLevel = plan.rung;
      });
      on("LEVEL_SWITCHING", (data) => note("switching", { level: data.level }));
      on("LEVEL_LOADED", (data) => note("playlist", { level: data.level }));
      on("FRAG_LOADING", (data) => note("loading", { track: data.frag.type, sn: data.frag.sn, level: data.frag.level, ...view() }));
      on("FRAG_LOADED", (data) => note("loaded", about(data)));
      on("FRAG_BUFFERED", (data) => note("buffered", { ...about(data), ...view() }));
      on("FRAG_LOAD_EMERGENCY_ABORTED", (data) => note("aborted", { ...about(data), ...view() }));
      on("ERROR", (data) => {
        note("fault", { what: data.details, fatal: data.fatal });
        if (data.fatal) finish("fault");
      });
      hls.attachMedia(video);
      hls.loadSource(plan.url);
      return video.play();
    },
  },
  shaka: {
    scripts: ["players/shaka.js"],
    version: () => shaka.Player.version,
    async begin(plan) {
      shaka.polyfill.installAll();
      const player = new shaka.Player();
      player.configure(plan.config);
      if (plan.rates) {
        player.configure({ restrictions: { minBandwidth: plan.rates[0], maxBandwidth: plan.rates[1] } });
      }
      player.addEventListener("error", (event) => {
        const { code, severity } = event.detail;
        note("fault", { what: String(code), fatal: severity === 2 });
        if (severity === 2) finish("fault");
      });
      for (const kind of ["adaptation", "variantchanged", "buffering"]) {
        player.addEventListener(kind, (event) => note(`shaka ${kind}`, {
          rate: event.newTrack?.bandwidth, buffering: event.buffering, bwe: player.getStats().estimatedBandwidth,
        }));
      }
      await player.attach(video);
      await player.load(plan.url);
      await video.play();
    },
  },
  native: {
    scripts: [],
    version: () => navigator.userAgent.match(/Chrom\w*\/[\d.]+/)?.[0] ?? "",
    begin(plan) {
      video.src = plan.url;
      video.addEventListener("error", () => finish("fault"));
      video.addEventListener("resize", () => note("size", { width: video.videoWidth }));
      return video.play();
    },
  },
};

let player = null;
const requests = [];

/** Load a player's code; gives its version. */
async function prepare(name) {
  player = players[name];
  for (const path of player.scripts) await load(path);
  return player.version();
}

/** Play is asked. */
function begin(plan) {
  started = performance.now();
  note("begin", { wall: performance.timeOrigin + started });
  watchElement();
  watchRequests(requests);
  video.addEventListener("ended", () => finish("complete"));
  setTimeout(() => finish("stopped"), plan.seconds * 1000);
  setTimeout(shown, 8000);
  const fault = (error) => {
    note("fault", { what: String(error.code ?? error), fatal: true });
    finish("fault");
  };
  try {
    Promise.resolve(player.begin(plan)).catch(fault);
  } catch (error) {
    fault(error);
  }
}

function finish(why) {
  if (told) return;
  told = true;
  samples.push([now(), video.currentTime, bufferedEnd()]);
  note("over", { why, at: video.currentTime, hidden: document.hidden });
  const quality = video.getVideoPlaybackQuality();
  tell(JSON.stringify({
    events, samples, requests, frames: quality.totalVideoFrames, dropped: quality.droppedVideoFrames,
  }));
}
