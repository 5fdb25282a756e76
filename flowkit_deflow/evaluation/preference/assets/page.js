"use strict";
// The participant whose session this is, and their answers so far: the next showing of the session is on the screen.
let participant = 1;
let answers = [];
let shownAt = null; // when both details were on the screen, in milliseconds; null while they are loading

const element = (id) => document.getElementById(id);
const session = () => STUDY.sessions[participant - 1];
const finished = () => answers.length === session().length;

function showOnly(section) {
  for (const id of ["start", "trial", "end"]) element(id).hidden = id !== section;
}

// A page that is reloaded goes on where it was. Some browsers keep nothing for file://: the page works without.
const storageKey = () => `preference ${STUDY.study} ${participant}`;

function keep() {
  try {
    localStorage.setItem(storageKey(), JSON.stringify(answers));
  } catch { /* Nothing is kept. */ }
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(storageKey())) ?? [];
  } catch {
    return [];
  }
}

function welcome(number) {
  element("participant").value = number;
  showOnly("start");
}

function begin() {
  participant = Number(element("participant").value);
  answers = kept();
  proceed();
}

async function proceed() {
  shownAt = null;
  if (finished()) {
    showOnly("end");
    return;
  }
  showOnly("trial");
  element("problem").hidden = true;
  const number = answers.length;
  const [pairNumber, left] = session()[number];
  const pair = STUDY.pairs[pairNumber];
  const shown = { left: pair.crops[left], right: pair.crops[1 - left], whole: pair.whole };
  for (const [id, file] of Object.entries(shown)) element(id).querySelector("img").src = file;
  const [x, y, width, height] = pair.mark.map((part) => `${100 * part}%`);
  Object.assign(element("mark").style, { left: x, top: y, width, height });
  element("progress").textContent = `${number + 1} of ${session().length}`;
  element("back").disabled = number === 0;
  try {
    await Promise.all(Object.keys(shown).map((id) => element(id).querySelector("img").decode()));
  } catch {
    if (number !== answers.length) return; // Another pair is on the screen by now.
    element("problem").textContent = `An image of pair ${pairNumber} is missing; the page's folder has to be whole.`;
    element("problem").hidden = false;
    return;
  }
  if (number === answers.length) shownAt = performance.now();
}

function choose(side) {
  if (shownAt === null) return;
  const [pairNumber, left] = session()[answers.length];
  const pair = STUDY.pairs[pairNumber];
  const chosen = side === "left" ? left : 1 - left;
  const seconds = Math.round(performance.now() - shownAt) / 1000;
  answers.push({ pair: pairNumber, image: pair.image, left, chosen, seconds });
  keep();
  proceed();
}

function goBack() {
  answers.pop();
  keep();
  proceed();
}

function download() {
  const { format, study, methods } = STUDY;
  const text = JSON.stringify({ format, study, methods, participant, answers }, null, 2);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text + "\n"], { type: "application/json" }));
  link.download = `answers-${study}-${String(participant).padStart(2, "0")}.json`;
  link.click();
}

const KEYS = {
  ArrowLeft: () => choose("left"),
  1: () => choose("left"),
  ArrowRight: () => choose("right"),
  2: () => choose("right"),
  Backspace: () => answers.length && goBack(),
};

document.addEventListener("keydown", (event) => {
  if (element("trial").hidden || event.ctrlKey || event.altKey || event.metaKey) return;
  // A key that is held down answers one pair only, Enter on a focused detail too.
  if (event.repeat && event.key === "Enter") event.preventDefault();
  const act = KEYS[event.key];
  if (act === undefined) return;
  event.preventDefault();
  if (!event.repeat) act();
});

element("question").textContent = STUDY.question;
element("count").textContent = STUDY.pairs.length;
STUDY.sessions.forEach((_, index) => element("participant").add(new Option(index + 1)));
element("begin").onclick = begin;
element("left").onclick = () => choose("left");
element("right").onclick = () => choose("right");
element("back").onclick = goBack;
element("reconsider").onclick = goBack;
element("download").onclick = download;
element("next").onclick = () => welcome(Math.min(participant + 1, STUDY.sessions.length));
// A link that ends in #7 is for participant 7.
const linked = Number(location.hash.slice(1));
welcome(Number.isInteger(linked) && linked >= 1 && linked <= STUDY.sessions.length ? linked : 1);
