// The watch page: the titles, one player, and who served each of its requests.
//
// What may be played and with which token is the playback service's word (/v1/titles and
// /v1/playback); watch.json says what else the page shows. A token is only ever part of a
// request's URL: it is in no text, no title and no link of the page.

const $ = (id) => document.getElementById(id);
const video = $("video");

const HLS_TYPE = "application/vnd.apple.mpegurl";
const RENEW_AT = 2 / 3; // of a token's life
const MINUTE_S = 60;
const LEAST_STALL_S = 0.1;
const MOST_BARS = 120;
const MOST_ROWS = 40;

// ---- Words ----

const ASK = "Try again asks for a new session.";
const REASONS = {
  missing: ["No token came with the request", ASK],
  malformed: ["The token is not one of this service's", ASK],
  expired: ["The token has expired", ASK],
  "session-over": ["The session has expired", `Its token can be renewed no more. ${ASK}`],
  "session-ended": ["The session was ended", ASK],
  "session-replaced": ["Another playback began in this window", ASK],
  "wrong-title": ["The token is for another title", ASK],
  "wrong-uri": ["The token is for other addresses than this one", ASK],
  "wrong-address": ["The token is for another network address", ASK],
  revoked: ["The session was revoked", "Whoever runs this service has ended it. A new session may be refused too."],
  "not-yet": ["The token is not valid yet", "The clocks of the servers differ. Wait a moment, then try again."],
  "unknown-key": ["The token was signed with a key that the server does not know", ASK],
  "bad-signature": ["The token was altered", ASK],
  "not-entitled": ["Your plan does not include this picture size", "Choose a lower rung."],
  "not-in-plan": ["Your plan does not include this title", "Choose another title."],
  "too-many-streams": ["All places of this account are taken", "End a playback on another device, then try again."],
  "place-taken": ["Another device has taken this one's place", "End a playback on another device, then try again."],
  "title-revoked": ["This title was withdrawn", "Choose another title."],
  "account-revoked": ["This account was revoked", "Ask whoever runs this service."],
  "account-blocked": ["This account may not play now", "Ask whoever runs this service."],
};
REASONS["session-revoked"] = REASONS.revoked;

// What a refusal means, in words: ours for its reason, else the server's own.
function refusalOf(status, reason, message) {
  const [what, why] = REASONS[reason] ?? ["The server refused the request", message || ASK];
  return {what, why, reason, code: [status, reason].filter(Boolean).join(" ")};
}

const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, place) => (place ? String(part).padStart(2, "0") : part)).join(":");
};
const rate = (bps) => (bps >= 999_500 ? `${(bps / 1e6).toFixed(bps < 1e8 ? 1 : 0)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`);
const size = (bytes) => (bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`);
const plural = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;
const nameOf = (title) => (title.charAt(0).toUpperCase() + title.slice(1)).replace(/[-_]+/g, " ");
const lines = (height) => (height ? `${height}p` : "sound only");

function protectionOf(facts) {
  const rotates = facts.keys > 1 ? `, ${plural(facts.keys, "key")} in turn` : "";
  return {
    "AES-128": `AES-128, whole segments${rotates}`,
    "SAMPLE-AES": `ClearKey, cbcs${rotates}`,
    "SAMPLE-AES-CTR": `ClearKey, cenc${rotates}`,
  }[facts.protection] ?? "none";
}

// ---- Elements ----

function make(tag, {text, ...properties} = {}, ...children) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function show(id, text, more = "") {
  const element = $(id);
  if (element.textContent === text + more) return;
  element.textContent = text;
  if (more) element.append(make("small", {text: more}));
}
const say = (text) => show("said", text);

function flash(text) {
  say(text);
  $("flash").textContent = text;
  $("flash").hidden = false;
  clearTimeout(flash.timer);
  flash.timer = setTimeout(() => { $("flash").hidden = true; }, 900);
}

function showTrouble({what, why, code = ""}) {
  show("trouble-what", what);
  show("trouble-why", why);
  show("trouble-code", code);
  $("trouble").hidden = false;
  $("waiting").hidden = true;
}

// ---- Cache-Status (RFC 9211): one member for each cache, the nearest to the origin first ----

export function membersOf(field) {
  const members = [];
  for (const [member] of (field ?? "").matchAll(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g)) {
    const [, quoted, bare, rest] = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))(.*)$/s.exec(member) ?? [];
    const name = quoted?.replace(/\\(.)/g, "$1") ?? bare;
    if (name) members.push({name, hit: /;\s*hit\b/.test(rest), collapsed: /;\s*collapsed\b/.test(rest)});
  }
  return members;
}

// Steps up from the viewer to whoever had it; as many as there are caches: the origin.
export function stepsUp(members) {
  const at = members.findLastIndex((member) => member.hit);
  return members.length - 1 - at;
}

// ---- Quality of experience, as CMCD has it: stalls are after startup, and not of a seek ----

class Meter {
  constructor() {
    this.asked = performance.now();
    this.startupS = undefined;
    this.stalls = []; // [from, to] in ms; the last may have no end
    this.samples = []; // [ms, seconds of buffer]
    this.seeks = false;
  }

  ask() { if (this.startupS === undefined) this.asked = performance.now(); }

  start(now = performance.now()) { this.startupS ??= (now - this.asked) / 1000; }

  get stalled() { return this.stalls.at(-1)?.length === 1; }

  wait() {
    if (this.startupS !== undefined && !this.seeks && !this.stalled && !video.ended) this.stalls.push([performance.now()]);
  }

  move() { if (this.stalled) this.stalls.at(-1).push(performance.now()); }

  // Those worth telling, in seconds.
  toldS(now = performance.now()) {
    return this.stalls.map(([from, to = now]) => (to - from) / 1000).filter((seconds) => seconds >= LEAST_STALL_S);
  }

  sample(bufferS) {
    const now = performance.now();
    this.samples.push([now, bufferS]);
    while (now - this.samples[0][0] > MINUTE_S * 1000) this.samples.shift();
  }
}

// ---- Permission: a session of the playback service, and its token ----

class Refused extends Error {
  constructor(status, reason, message) {
    super(message);
    Object.assign(this, refusalOf(status, reason, message), {status});
  }
}

async function answerOf(response) {
  if (response.ok) return response.json();
  const said = await response.json().catch(() => ({}));
  const reason = said.reason ?? response.headers.get("Abr-Refusal") ?? said.error ?? "";
  throw new Refused(response.status, reason, said.message);
}

// One device for each window, so that loading the page again takes the place it had.
function device() {
  const known = sessionStorage.getItem("device");
  if (known) return known;
  const made = `watch-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
  sessionStorage.setItem("device", made);
  return made;
}

class Grant {
  static async ask(title) {
    const response = await fetch("/v1/playback", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({title, device: device()}),
    });
    return new Grant(title, await answerOf(response));
  }

  constructor(title, answer) {
    this.title = title;
    this.manifest = new URL(answer.manifest_url, location.href).href;
    this.licence = new URL(answer.licence_url ?? "licence", this.manifest).href;
    this.renewal = new URL(answer.renew_url ?? "renew", this.manifest).href;
    this.heartbeat = answer.heartbeat_url;
    this.id = answer.session ?? "";
    this.renewals = 0;
    this.refused = undefined;
    this.take(answer);
  }

  take({token, ttl_s: ttlS, heartbeat_s: heartbeatS}) {
    this.token = token;
    this.ttlS = ttlS;
    this.endsMs = performance.now() + ttlS * 1000;
    this.heartbeatS = heartbeatS ?? Infinity;
  }

  get leftS() { return (this.endsMs - performance.now()) / 1000; }

  get base() { return new URL(".", this.manifest).href; }

  // The same request with the token of now: playlists remember the token they were fetched with.
  fresh(url) {
    const prefix = `/t/${this.token}/${this.title}/`;
    return url.replace(/\/t\/[^/?#]+\/[^/?#]+\//, () => prefix);
  }

  // Renew in time, for as long as the playback goes on; `refuse` is told when that is over.
  keep(refuse) {
    const waitS = Math.max(1, Math.min(this.heartbeatS, RENEW_AT * this.leftS));
    this.timer = setTimeout(async () => {
      if (!await this.renew() && this.refused) refuse(this.refused);
      else if (!this.isOver) this.keep(refuse);
    }, waitS * 1000);
  }

  // Whether there is a fresh token. All who ask at once wait for one answer.
  renew() {
    this.renewing ??= this.#renew().finally(() => { this.renewing = undefined; });
    return this.renewing;
  }

  async #renew() {
    // A heartbeat keeps the place too; without the service, the caches still pass renewals on.
    const ways = [this.heartbeat, this.fresh(this.renewal)].filter(Boolean);
    for (const way of ways) {
      try {
        const headers = way === this.heartbeat ? {Authorization: `Bearer ${this.token}`} : {};
        this.take({heartbeat_s: this.heartbeatS, ...await answerOf(await fetch(way, {method: "POST", headers}))});
        this.renewals += 1;
        return true;
      } catch (error) {
        if (error instanceof Refused && error.status < 500 && error.status !== 429) {
          this.refused = error;
          return false;
        }
      }
    }
    return false;
  }

  end() {
    clearTimeout(this.timer);
    if (this.heartbeat && !this.isOver) {
      const session = this.heartbeat.replace(/\/heartbeat$/, "");
      fetch(session, {method: "DELETE", headers: {Authorization: `Bearer ${this.token}`}, keepalive: true}).catch(() => {});
    }
    this.isOver = true;
  }
}

// ---- One playback ----

class Playback {
  constructor(grant, facts, {tiers, takes_reports: takesReports}) {
    this.grant = grant;
    this.facts = facts;
    this.tiers = tiers;
    this.reportsTo = takesReports ? new URL("/cmcd", grant.manifest).href : "";
    this.meter = new Meter();
    this.requests = [];
    this.served = []; // by steps up from the viewer: count and bytes
    this.caches = []; // names on the way, the nearest to the viewer first
    this.licences = 0;
    this.keys = new Set();
    this.over = false;
  }

  async begin(Hls) {
    this.grant.keep((refused) => this.stop(refused));
    video.requestVideoFrameCallback?.(() => this.meter.start());
    if (Hls?.isSupported()) this.#useHls(Hls);
    else video.src = this.grant.manifest;
    await this.play();
  }

  async play() {
    this.meter.ask();
    try {
      await video.play();
    } catch (error) {
      if (error.name === "NotAllowedError") flash("Press play");
    }
  }

  #useHls(Hls) {
    const hls = this.hls = new Hls({
      workerPath: new URL("hls/hls.worker.js", import.meta.url).href,
      emeEnabled: true,
      drmSystems: {"org.w3.clearkey": {licenseUrl: this.grant.licence}},
      cmcd: {
        version: 2,
        contentId: this.grant.title,
        ...(this.grant.id && {sessionId: this.grant.id}),
        eventTargets: this.reportsTo ? [{url: this.reportsTo, events: ["ps", "e", "t"], interval: 10, batchSize: 1}] : [],
      },
      xhrSetup: (xhr, url) => xhr.open("GET", this.grant.fresh(url)),
      licenseXhrSetup: (xhr, url) => { xhr.open("POST", this.grant.fresh(url)); },
      licenseResponseCallback: (xhr) => { this.licences += 1; return xhr.response; },
    });
    hls.on(Hls.Events.ERROR, (_, error) => this.#fail(error, Hls));
    hls.on(Hls.Events.FRAG_LOADED, (_, {frag, networkDetails}) => this.#note(frag, networkDetails));
    hls.on(Hls.Events.KEY_LOADED, (_, {frag}) => { if (frag.decryptdata?.uri) this.keys.add(frag.decryptdata.uri); });
    hls.on(Hls.Events.MANIFEST_PARSED, () => listRungs(hls));
    hls.on(Hls.Events.LEVEL_SWITCHED, () => showRung(hls));
    hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, () => listTracks(hls));
    hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => listTracks(hls));
    hls.subtitleDisplay = false;
    hls.loadSource(this.grant.manifest);
    hls.attachMedia(video);
  }

  #note(frag, details) {
    const members = membersOf(details?.getResponseHeader?.("Cache-Status"));
    const {start, first, end} = frag.stats.loading;
    const steps = stepsUp(members);
    const request = {
      kind: frag.type === "main" ? "video" : frag.type === "audio" ? "sound" : "text",
      name: frag.sn === "initSegment" ? "beginning" : `segment ${frag.sn}`,
      isMedia: frag.sn !== "initSegment",
      level: frag.type === "main" ? frag.level : -1,
      bytes: frag.stats.total || frag.stats.loaded,
      ms: Math.max(0, end - start),
      waitedMs: Math.max(0, first - start),
      members,
      steps,
    };
    for (const {name} of [...members].reverse()) if (!this.caches.includes(name)) this.caches.push(name);
    this.served[steps] ??= {count: 0, bytes: 0};
    this.served[steps].count += 1;
    this.served[steps].bytes += request.bytes;
    this.requests.push(request);
    if (this.requests.length > 500) this.requests.shift();
    noteRequest(this, request);
  }

  // A refusal ends playback at once, in words; an expired token is renewed first.
  async #fail(error, Hls) {
    const {details, fatal, networkDetails, response, type} = error;
    const status = response?.code ?? networkDetails?.status ?? 0;
    if (this.over) return;
    if (status === 401 || status === 403) {
      const reason = refusalIn(networkDetails);
      if (reason === "expired" && !this.grant.refused && await this.grant.renew()) {
        if (fatal && !this.over) this.hls.startLoad();
        return;
      }
      const trouble = refusalOf(status, reason);
      if (reason === "expired" && this.grant.refused) trouble.why = `It was not renewed: ${this.grant.refused.what}. ${ASK}`;
      this.stop(trouble);
    } else if (fatal && details === "bufferAppendError") {
      this.hls.recoverMediaError();
    } else if (fatal) {
      this.stop(troubleOf(type, details, status, Hls));
    }
  }

  stop(trouble) {
    if (this.over) return;
    this.over = true;
    this.grant.end();
    this.meter.move();
    video.pause(); // or what follows would be reported as a stall
    this.hls?.destroy();
    video.removeAttribute("src");
    video.load();
    this.refusal = trouble?.reason;
    showPlaying();
    showToken(this);
    if (trouble) showTrouble(trouble);
  }
}

function refusalIn(details) {
  const field = details?.getResponseHeader?.("Abr-Refusal");
  return field ?? details?.headers?.get?.("Abr-Refusal") ?? "";
}

function troubleOf(type, details, status, Hls) {
  const code = `${details}${status ? ` ${status}` : ""}`;
  if (type === Hls.ErrorTypes.KEY_SYSTEM_ERROR) {
    return isSecureContext
      ? {what: "The title is locked", why: "No licence could be had for it, or this browser cannot use ClearKey.", code}
      : {what: "This browser unlocks titles on safe pages only", why: "Open the page by https, or by 127.0.0.1 on the machine itself.", code};
  }
  if (status === 404) return {what: "The title is not there any more", why: "It may have been replaced. Try again for its new version.", code};
  if (type === Hls.ErrorTypes.NETWORK_ERROR) return {what: "The server cannot be reached", why: "Is abr serve still running? Then try again.", code};
  if (details === "manifestIncompatibleCodecsError") return {what: "This browser cannot play this title", why: "It lacks the codecs of every rung.", code};
  return {what: "Playback failed", why: "The player could not go on. Try again.", code};
}

// ---- The player on the page ----

let site, Hls, playback;
const chosen = {rung: -1, captions: -1};

function bufferS() {
  for (let at = 0; at < video.buffered.length; at += 1) {
    if (video.buffered.start(at) <= video.currentTime + 0.1 && video.currentTime <= video.buffered.end(at)) return video.buffered.end(at) - video.currentTime;
  }
  return 0;
}

function rungName({height, bitrate}) { return `${lines(height)} · ${rate(bitrate)}`; }

function listRungs(hls) {
  const best = hls.levels.map((level, place) => make("option", {value: place, text: rungName(level)})).reverse();
  $("rung").replaceChildren(make("option", {value: -1, text: "Auto"}), ...best);
  chosen.rung = -1;
}

function chooseRung(place) {
  const hls = playback?.hls;
  if (!hls?.levels.length) return;
  chosen.rung = Math.min(hls.levels.length - 1, Math.max(-1, place));
  hls.nextLevel = chosen.rung;
  $("rung").value = chosen.rung;
  flash(chosen.rung < 0 ? "Rung: auto" : `Rung: ${rungName(hls.levels[chosen.rung])}`);
}

function showRung(hls) {
  const level = hls.levels[hls.currentLevel];
  if (level) show("playing-rung", lines(level.height), `≤ ${rate(level.bitrate)}`);
}

function listTracks(hls) {
  const texts = hls.subtitleTracks.map((track, place) => make("option", {value: place, text: track.name}));
  $("captions-label").hidden = !texts.length;
  $("captions").replaceChildren(make("option", {value: -1, text: "Off"}), ...texts);
  $("captions").value = chosen.captions = -1;
  const sounds = hls.audioTracks.map((track, place) => make("option", {value: place, text: track.name}));
  $("sound-label").hidden = sounds.length < 2;
  $("sound").replaceChildren(...sounds);
  $("sound").value = hls.audioTrack;
}

function chooseCaptions(place) {
  const hls = playback?.hls;
  if (!hls?.subtitleTracks.length) return;
  chosen.captions = place;
  hls.subtitleDisplay = place >= 0;
  hls.subtitleTrack = place;
  $("captions").value = place;
  flash(`Captions: ${place < 0 ? "off" : hls.subtitleTracks[place].name}`);
}

function togglePlay() {
  if (!playback || playback.over) return;
  if (!video.paused) video.pause();
  else playback.play();
}

function seekTo(seconds) {
  if (!playback || playback.over || !Number.isFinite(video.duration)) return;
  video.currentTime = Math.min(video.duration - 0.1, Math.max(0, seconds));
  if (!$("seek").matches(":active")) flash(clock(video.currentTime));
}

function toggleMute() {
  video.muted = !video.muted;
  flash(video.muted ? "Muted" : "Sound on");
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else $("screen").requestFullscreen?.();
}

const KEYS = {
  " ": togglePlay,
  k: togglePlay,
  ArrowLeft: () => seekTo(video.currentTime - 5),
  ArrowRight: () => seekTo(video.currentTime + 5),
  Home: () => seekTo(0),
  "+": () => chooseRung(chosen.rung < 0 ? (playback.hls?.currentLevel ?? -1) + 1 : chosen.rung + 1),
  "-": () => chooseRung(Math.max(0, (chosen.rung < 0 ? playback.hls?.currentLevel ?? 0 : chosen.rung) - 1)),
  a: () => chooseRung(-1),
  c: () => chooseCaptions(chosen.captions + 1 >= (playback.hls?.subtitleTracks.length ?? 0) ? -1 : chosen.captions + 1),
  m: toggleMute,
  f: toggleFull,
};

function onKey(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = KEYS[key === "=" ? "+" : key];
  if (!act || !playback || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const own = event.target.closest("select, input, summary, button, a, .scroll");
  // What has a meaning of its own there keeps it.
  if (own && (/^(Arrow|Home)/.test(key) || (key === " " && !own.matches("input")) || own.matches("select"))) return;
  event.preventDefault();
  act();
}

// ---- What is shown while it plays ----

function noteRequest({hls, caches}, request) {
  if (request.kind === "video" && request.isMedia) {
    const bar = make("i", {"data-from": fromOf(request, caches), title: `${request.name}: ${servedBy(request)}`});
    bar.style.setProperty("--tall", (request.level + 1) / hls.levels.length);
    const strip = $("strip");
    strip.append(bar);
    if (strip.children.length > MOST_BARS) strip.firstChild.remove();
  }
  const level = hls.levels[request.level];
  const row = make("tr", {},
    make("th", {scope: "row", text: `${request.kind}, ${request.name}`}),
    make("td", {text: level ? lines(level.height) : ""}),
    make("td", {text: size(request.bytes)}),
    make("td", {text: `${Math.round(request.ms)} ms`}),
    make("td", {text: servedBy(request), "data-from": fromOf(request, caches)}));
  $("requests").prepend(row);
  if ($("requests").children.length > MOST_ROWS) $("requests").lastChild.remove();
}

const fromOf = ({steps, members}) => (!members.length ? "unknown" : steps === 0 ? "edge" : steps < members.length ? "tier" : "origin");

function servedBy({members, steps}) {
  if (!members.length) return "not said";
  const at = members.length - 1 - steps;
  const who = at < 0 ? "origin" : members[at].name;
  const passed = members.slice(at + 1).map(({name}) => name);
  return passed.length ? `${who}, through ${passed.join(", ")}` : who;
}

function showPath({caches, served, tiers}) {
  const whole = served.reduce((sum, each) => sum + (each?.count ?? 0), 0);
  const stops = ["origin", ...[...caches].reverse()].map((name, place, all) => {
    const {count = 0, bytes = 0} = served[all.length - 1 - place] ?? {};
    const tier = place ? tiers[name] ?? "cache" : "";
    const from = place === 0 ? "origin" : place === all.length - 1 ? "edge" : "tier";
    const bar = make("span", {class: "share"});
    bar.style.setProperty("--share", whole ? count / whole : 0);
    return make("li", {"data-from": from},
      make("b", {text: name}), make("span", {class: "tier", text: tier ? `${tier} tier` : "has everything"}), bar,
      make("span", {class: "count", text: count ? `${plural(count, "request")}, ${size(bytes)}` : "nothing yet"}));
  });
  $("path").replaceChildren(...stops);
}

function showChart(meter) {
  const now = performance.now();
  const most = Math.max(10, ...meter.samples.map(([, seconds]) => seconds));
  const top = Math.ceil(most / 10) * 10;
  const across = (ms) => (600 * (1 - (now - ms) / (MINUTE_S * 1000))).toFixed(1);
  const points = meter.samples.map(([ms, seconds]) => `${across(ms)},${(98 - 94 * seconds / top).toFixed(1)}`);
  $("buffer-line").setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
  $("buffer-area").setAttribute("d", points.length > 1 ? `M${across(meter.samples[0][0])},100L${points.join("L")}L${across(now)},100z` : "");
  show("chart-top", `${top} s`);
  const recent = meter.stalls.filter(([, to = now]) => now - to < MINUTE_S * 1000);
  $("stall-bands").replaceChildren(...recent.map(([from, to = now]) => {
    const band = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const left = Math.max(0, across(from));
    band.setAttribute("x", left);
    band.setAttribute("width", Math.max(2, across(to) - left));
    band.setAttribute("height", 100);
    return band;
  }));
}

function showToken({grant, over, refusal}) {
  const left = over ? 0 : grant.leftS;
  const state = refusal ? `refused: ${refusal}` : over ? "given back" : left > 0 ? `valid for ${clock(left)}` : "expired";
  show("token-state", state);
  $("token-left").value = Math.max(0, Math.min(1, left / grant.ttlS));
  show("renewed", grant.renewals ? `${plural(grant.renewals, "time")}` : "not yet");
}

function showLoaded() {
  const canvas = $("loaded");
  canvas.width = canvas.clientWidth;
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(canvas).color;
  const scale = canvas.width / (video.duration || 1);
  for (let at = 0; at < video.buffered.length; at += 1) {
    const from = video.buffered.start(at) * scale;
    pen.fillRect(from, 0, video.buffered.end(at) * scale - from, canvas.height);
  }
}

function refresh() {
  if (!playback) return;
  const {meter, hls, keys, licences, facts} = playback;
  if (!playback.over) {
    const ahead = bufferS();
    if (!video.paused || meter.stalled) meter.sample(ahead);
    show("buffer", `${ahead.toFixed(1)} s`);
    show("startup", meter.startupS === undefined ? "–" : `${meter.startupS.toFixed(2)} s`);
    const stalls = meter.toldS();
    const stalledS = stalls.reduce((sum, each) => sum + each, 0);
    show("stalls", `${stalls.length || "none"}`, stalls.length ? `${stalledS.toFixed(1)} s in all` : "");
    if (hls && playback.requests.length) show("throughput", ...rate(hls.bandwidthEstimate).split(/ (?=\D)/));
    const frames = video.getVideoPlaybackQuality?.();
    if (frames) show("dropped", `${frames.droppedVideoFrames}`, `of ${frames.totalVideoFrames} frames`);
    const seconds = Number.isFinite(video.duration) ? video.duration : facts.duration_s ?? 0;
    show("length", clock(seconds));
    $("seek").max = seconds;
    if (!$("seek").matches(":active")) $("seek").value = video.currentTime;
    $("seek").setAttribute("aria-valuetext", `${clock(video.currentTime)} of ${clock(seconds)}`);
    show("now", clock(video.currentTime));
    $("seek").style.setProperty("--played", seconds ? video.currentTime / seconds : 0);
    showLoaded();
    showChart(meter);
    if (hls) showPath(playback);
    const fetched = facts.protection === "AES-128" ? plural(keys.size, "key") : plural(licences, "licence");
    show("licences", facts.protection ? `${fetched} fetched` : "none needed");
  }
  showToken(playback);
}

function showPlaying() {
  const plays = !video.paused;
  $("play").classList.toggle("plays", plays);
  $("play").setAttribute("aria-label", plays ? "Pause" : "Play");
}

function listen() {
  const meter = () => playback?.meter;
  const wait = (waits) => { $("waiting").hidden = !waits || !playback || playback.over; };
  video.addEventListener("waiting", () => { meter()?.wait(); show("waiting-for", "Loading"); wait(true); });
  video.addEventListener("playing", () => {
    const now = meter();
    if (!now) return;
    if (!video.requestVideoFrameCallback) now.start();
    now.move();
    now.seeks = false;
    wait(false);
  });
  video.addEventListener("seeking", () => { const now = meter(); if (now) { now.move(); now.seeks = true; } });
  video.addEventListener("seeked", () => { if (video.readyState >= 3) wait(false); });
  video.addEventListener("pause", () => { meter()?.move(); showPlaying(); });
  video.addEventListener("play", showPlaying);
  video.addEventListener("ended", showPlaying);
  video.addEventListener("volumechange", () => $("mute").setAttribute("aria-pressed", video.muted));
  video.addEventListener("error", () => { if (playback && !playback.hls && !playback.over) nativeTrouble(playback); });
  video.addEventListener("click", togglePlay);
  $("play").addEventListener("click", togglePlay);
  $("mute").addEventListener("click", toggleMute);
  $("full").addEventListener("click", toggleFull);
  $("seek").addEventListener("input", () => seekTo(Number($("seek").value)));
  $("rung").addEventListener("change", () => chooseRung(Number($("rung").value)));
  $("captions").addEventListener("change", () => chooseCaptions(Number($("captions").value)));
  $("sound").addEventListener("change", () => { playback.hls.audioTrack = Number($("sound").value); });
  $("again").addEventListener("click", route);
  document.addEventListener("keydown", onKey);
  $("seek").addEventListener("pointermove", preview);
  $("seek").addEventListener("pointerleave", () => { $("preview").hidden = true; });
  addEventListener("hashchange", route);
  addEventListener("pagehide", () => playback?.stop());
  addEventListener("pageshow", ({persisted}) => { if (persisted) route(); });
  setInterval(refresh, 250);
}

// A browser that plays HLS by itself does not say why it failed: the server is asked.
async function nativeTrouble(failed) {
  const response = await fetch(failed.grant.fresh(failed.grant.manifest)).catch(() => undefined);
  const refused = response && [401, 403].includes(response.status);
  failed.stop(refused
    ? refusalOf(response.status, refusalIn(response))
    : {what: "This browser cannot play this title", why: "It has no hls.js to help it: see below.", code: video.error?.message ?? ""});
}

// ---- Pictures above the seek bar ----

async function picturesOf({grant, facts}) {
  const folder = new URL(`${facts.pictures.folder}/`, grant.base).href;
  const response = await fetch(grant.fresh(`${folder}thumbnails.vtt`));
  const text = response.ok ? await response.text() : "";
  const cues = text.matchAll(/((?:\d+:)?\d+:[\d.]+) --> .*\n(.+)#xywh=(\d+),(\d+),(\d+),(\d+)/g);
  return [...cues].map(([, time, file, ...place]) => ({
    at: time.split(":").reduce((sum, part) => 60 * sum + Number(part), 0),
    url: folder + file,
    place: place.map(Number),
  }));
}

async function preview(event) {
  const now = playback;
  if (!now || now.over || !video.duration) return;
  const bar = $("seek").getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - bar.left) / bar.width));
  const box = $("preview");
  box.hidden = false;
  box.style.setProperty("--at", share);
  const seconds = share * video.duration;
  box.lastChild.textContent = clock(seconds);
  const picture = box.firstChild;
  picture.hidden = !now.facts.pictures;
  if (picture.hidden) return;
  now.pictures ??= picturesOf(now).catch(() => []);
  const cue = (await now.pictures).findLast(({at}) => at <= seconds);
  if (!cue || now !== playback) return;
  const [x, y, width, height] = cue.place;
  Object.assign(picture.style, {
    width: `${width}px`,
    height: `${height}px`,
    backgroundImage: `url("${now.grant.fresh(cue.url)}")`,
    backgroundPosition: `-${x}px -${y}px`,
  });
}

// ---- Titles, and which one is watched ----

function cardOf({title}) {
  const facts = site.titles[title] ?? {};
  const picture = make("span", {class: "picture"});
  if (facts.pictures) {
    const {columns, rows, count} = facts.pictures;
    const number = Math.floor(count / 3);
    Object.assign(picture.style, {
      backgroundImage: `url("/pictures/${title}")`,
      backgroundSize: `${100 * columns}% ${100 * rows}%`,
      backgroundPosition: `${100 * (number % columns) / Math.max(1, columns - 1)}% ${100 * Math.floor(number / columns) / Math.max(1, rows - 1)}%`,
    });
  } else {
    picture.append(make("span", {class: "letter", text: nameOf(title).charAt(0)}));
  }
  picture.append(make("span", {class: "length", text: clock(facts.duration_s)}));
  const lock = facts.protection ? make("span", {class: "lock", text: {"AES-128": "AES-128", "SAMPLE-AES": "cbcs", "SAMPLE-AES-CTR": "cenc"}[facts.protection]}) : "";
  const words = [lines(facts.height), plural(facts.rungs ?? 0, "rung"), ...(facts.has_captions ? ["captions"] : [])];
  return make("li", {},
    make("a", {href: `#/${title}`, "data-title": title}, picture,
      make("span", {class: "title", text: nameOf(title)}),
      make("span", {class: "words", text: words.join(" · ")}), lock));
}

function clear() {
  playback?.stop();
  playback = undefined;
  for (const id of ["strip", "requests", "path"]) $(id).replaceChildren();
  for (const id of ["startup", "stalls", "buffer", "playing-rung", "throughput", "dropped", "token-state", "renewed", "licences"]) show(id, "–");
  for (const id of ["captions-label", "sound-label", "trouble", "waiting", "preview"]) $(id).hidden = true;
  $("rung").replaceChildren(make("option", {text: "Auto"}));
  $("token-left").value = 0;
}

async function route() {
  clear();
  const title = location.hash.replace(/^#\//, "");
  const facts = Object.hasOwn(site.titles, title) ? site.titles[title] : undefined;
  for (const link of document.querySelectorAll("[data-title]")) {
    if (link.dataset.title === title) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  document.body.classList.toggle("watches", Boolean(facts));
  $("stage").hidden = !facts;
  document.title = facts ? `${nameOf(title)} – abrkit` : "abrkit";
  if (!facts) return;
  show("name", nameOf(title));
  show("facts", [clock(facts.duration_s), `up to ${lines(facts.height)}`, plural(facts.rungs, "rung")].join(" · "));
  show("protection", protectionOf(facts));
  $("name").focus({preventScroll: true});
  scrollTo({top: 0});
  await watch(title, facts);
}

async function watch(title, facts) {
  if (!Hls?.isSupported() && !video.canPlayType(HLS_TYPE)) {
    showTrouble({
      what: "This browser cannot play the titles",
      why: site.hls_js
        ? "It has no Media Source Extensions, and does not play HLS by itself."
        : "It does not play HLS by itself, and this installation lacks hls.js: install npm, then install abrkit again.",
    });
    return;
  }
  show("waiting-for", "Asking for a session");
  $("waiting").hidden = false;
  const asked = performance.now();
  try {
    const grant = await Grant.ask(title);
    if (location.hash !== `#/${title}`) return grant.end();
    playback = new Playback(grant, facts, site);
    playback.meter.asked = asked;
    show("session-id", grant.id || "–");
    show("reports", playback.reportsTo ? "CMCD 2, with every request and of every state" : "CMCD 2, with every request");
    await playback.begin(Hls);
  } catch (error) {
    showTrouble(error instanceof Refused ? error : {what: "No session could be had", why: "Is abr serve still running? Then try again.", code: error.message});
  }
}

async function begin() {
  const [known, listed] = await Promise.all(["/watch.json", "/v1/titles"].map((path) => fetch(path).then(answerOf)));
  site = known;
  if (site.hls_js) Hls = (await import("./hls/hls.min.mjs").catch(() => ({}))).default;
  show("engine", Hls ? `hls.js ${Hls.version}` : "the browser's own player");
  const titles = listed.titles.map((each) => (typeof each === "string" ? {title: each} : each));
  $("cards").replaceChildren(...titles.map(cardOf));
  $("none").hidden = titles.length > 0;
  listen();
  await route();
}

begin().catch((error) => showTrouble({what: "The page could not begin", why: "Is abr serve still running? Then load the page again.", code: error.message}));
